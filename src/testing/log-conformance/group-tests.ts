import assert from 'node:assert/strict';
import { parsePartitionKey, partitionKey, type PartitionKey } from '../../kernel/position.js';
import type { Offset } from '../../kernel/names.js';
import type { GroupMember, LogBatch } from '../../log/event-log.js';
import {
  at,
  endOf,
  joinRecording,
  newTopic,
  pollUntil,
  position,
  readAll,
  record,
  records,
  textsOf,
  uniqueName,
  withLog,
  type LogFactory,
  type TestApi,
} from './log-under-test.js';

export function groupTests(factory: LogFactory, { describe, it }: TestApi): void {
  describe('a consumer group', () => {
    it(
      'assigns everything to its only member, before the first record',
      withLog(factory, async (log) => {
        const topic = await newTopic(log, 3);
        await log.append([...records(topic, 0, 2, 'a'), ...records(topic, 2, 2, 'c')]);
        const { member, events } = await joinRecording(log, uniqueName('g'), [topic]);
        const seen: string[] = [];
        await pollUntil(
          [member],
          () => seen.length === 4,
          (batch) => {
            assert.ok(events.flatMap(({ partitions }) => partitions).includes(partitionKey(batch.topic, batch.partition)));
            seen.push(...textsOf([batch]));
          },
        );
        assert.deepEqual(seen.toSorted(), ['a0', 'a1', 'c0', 'c1']);
        assert.deepEqual([...member.assignment].sort(), keys(topic, [0, 1, 2]));
      }),
    );

    it(
      'starts where the member says, else where the group has committed, else at the begin',
      withLog(factory, async (log) => {
        const topic = await newTopic(log, 3);
        for (const partition of [0, 1, 2]) await log.append(records(topic, partition, 3, `${partition}-`));
        const offsets = await Promise.all(
          [0, 1, 2].map(async (partition) => (await readAll(log, topic, partition)).map(({ offset }) => offset)),
        );
        const group = uniqueName('g');
        const session = await log.openSession(uniqueName('task'));
        const transaction = session.begin();
        transaction.commitOffsets(group, position([topic, 0, at(offsets[0]?.[1])], [topic, 1, at(offsets[1]?.[1])]));
        assert.equal((await transaction.commit()).outcome, 'committed');
        const { member } = await joinRecording(log, group, [topic], position([topic, 0, at(offsets[0]?.[2])]));
        const seen: string[] = [];
        await pollUntil(
          [member],
          () => seen.length === 6,
          (batch) => seen.push(...textsOf([batch])),
        );
        assert.deepEqual(seen.toSorted(), ['0-2', '1-1', '1-2', '2-0', '2-1', '2-2']);
      }),
    );

    it(
      'gives each record once, in order, and each batch with where to go on',
      withLog(factory, async (log) => {
        const topic = await newTopic(log, 2);
        await log.append([...records(topic, 0, 30, 'a'), ...records(topic, 1, 30, 'b')]);
        const { member } = await joinRecording(log, uniqueName('g'), [topic]);
        const batches: LogBatch[] = [];
        const count = () => batches.reduce((sum, batch) => sum + batch.records.length, 0);
        const deadline = performance.now() + 60_000;
        while (count() < 60 && performance.now() < deadline) {
          const polled = await member.poll({ maxRecords: 8, maxWaitMs: 50 });
          assert.ok(polled.reduce((sum, batch) => sum + batch.records.length, 0) <= 8);
          assert.equal(
            new Set(polled.map(({ partition }) => partition)).size,
            polled.length,
            'one batch for each partition at most',
          );
          batches.push(...polled);
        }
        for (const partition of [0, 1]) {
          const own = batches.filter((batch) => batch.partition === partition);
          assert.deepEqual(
            textsOf(own),
            Array.from({ length: 30 }, (_, index) => `${'ab'[partition]}${index}`),
          );
          assert.equal(at(own.at(-1)).next, await endOf(log, topic, partition));
        }
      }),
    );

    it(
      'wakes a waiting poll when something is appended',
      withLog(factory, async (log, under) => {
        const topic = await newTopic(log, 1);
        const { member } = await joinRecording(log, uniqueName('g'), [topic]);
        await pollUntil([member], () => member.assignment.length === 1);
        for (const writer of [log, await under.open()]) {
          // Far longer than the patience of the test: only the append ends it.
          const polled = member.poll({ maxWaitMs: 600_000 });
          await writer.append([record(topic, 0, 'here')]);
          assert.deepEqual(textsOf(await polled), ['here']);
        }
      }),
    );

    it(
      'lets a poll end empty, at its time or when it is aborted',
      withLog(factory, async (log) => {
        const topic = await newTopic(log, 1);
        const { member } = await joinRecording(log, uniqueName('g'), [topic]);
        await pollUntil([member], () => member.assignment.length === 1);
        assert.deepEqual(await member.poll({ maxWaitMs: 10 }), []);
        const abort = new AbortController();
        const polled = member.poll({ maxWaitMs: 600_000, signal: abort.signal });
        setImmediate(() => abort.abort());
        assert.deepEqual(await polled, []);
      }),
    );

    it(
      'reads on from where a member seeks',
      withLog(factory, async (log) => {
        const topic = await newTopic(log, 1);
        await log.append(records(topic, 0, 5));
        const { member } = await joinRecording(log, uniqueName('g'), [topic]);
        const seen: string[] = [];
        const take = (batch: LogBatch) => seen.push(...textsOf([batch]));
        await pollUntil([member], () => seen.length === 5, take);
        member.seek(topic, 0, at((await readAll(log, topic))[3]).offset);
        await pollUntil([member], () => seen.length === 7, take);
        assert.deepEqual(seen.slice(5), ['r3', 'r4']);
        member.seek(topic, 0, 0 as Offset);
        await pollUntil([member], () => seen.length === 12, take);
      }),
    );

    it(
      'shares partitions among members, and those of one number of all topics go to one member',
      withLog(factory, async (log, under) => {
        const topics = [await newTopic(log, 4), await newTopic(log, 4)];
        const group = uniqueName('g');
        const one = await joinRecording(log, group, topics);
        await pollUntil([one.member], () => one.member.assignment.length === 8);
        const two = await joinRecording(await under.open(), group, topics);
        await pollUntil(
          [one.member, two.member],
          () => one.member.assignment.length === 4 && two.member.assignment.length === 4,
        );
        for (const { member } of [one, two]) {
          const numbers = topics.map((topic) => numbersOf(member, topic));
          assert.deepEqual(numbers[0], numbers[1]);
          assert.equal(numbers[0]?.length, 2);
        }
        assert.equal(new Set([...one.member.assignment, ...two.member.assignment]).size, 8);
      }),
    );

    it(
      'gives a partition to another member only after its owner was told and had its time',
      withLog(factory, async (log, under) => {
        const topic = await newTopic(log, 4);
        const group = uniqueName('g');
        const owners = new Map<PartitionKey, string>();
        const join = async (name: string) =>
          (await under.open()).join({
            group,
            topics: [topic],
            assigned: async (partitions) => {
              for (const key of partitions) {
                assert.equal(owners.get(key), undefined, `${key} is still owned by ${owners.get(key)}`);
                owners.set(key, name);
              }
              return {};
            },
            revoked: async (partitions) => {
              // What an owner does here takes turns of the event loop, as a flush to a database does.
              for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
              for (const key of partitions) owners.delete(key);
            },
          });
        const members = [await join('one')];
        await pollUntil(members, () => members[0]?.assignment.length === 4);
        members.push(await join('two'));
        await pollUntil(members, () => members.every(({ assignment }) => assignment.length === 2));
        members.push(await join('three'));
        await pollUntil(members, () => members.every(({ assignment }) => assignment.length >= 1) && owners.size === 4);
        await at(members.shift()).leave();
        await pollUntil(members, () => members.every(({ assignment }) => assignment.length === 2));
        assert.equal(owners.size, 4);
      }),
    );

    it(
      'keeps a partition with its owner until that has finished with it, however long it takes',
      withLog(factory, async (log, under) => {
        const topic = await newTopic(log, 2);
        const group = uniqueName('g');
        const progress = { told: false, finished: false };
        const assigned = () => Promise.resolve({});
        const revoked = async (): Promise<void> => {
          progress.told = true;
          while (!progress.finished) await new Promise((resolve) => setImmediate(resolve));
        };
        const one = await log.join({ group, topics: [topic], assigned, revoked });
        await pollUntil([one], () => one.assignment.length === 2);
        const two = await (await under.open()).join({ group, topics: [topic], assigned, revoked: () => Promise.resolve() });
        const polling = (async () => {
          while (!progress.finished) await one.poll({ maxWaitMs: 50 });
        })();
        try {
          while (!progress.told) await two.poll({ maxWaitMs: 20 });
          // Long enough for a group that gave it away at once: a heartbeat and a round of the group.
          for (let turn = 0; turn < 25; turn++) {
            await two.poll({ maxWaitMs: 20 });
            assert.deepEqual(two.assignment, [], 'its owner has not finished yet');
          }
        } finally {
          progress.finished = true;
          await polling;
        }
        await pollUntil([one, two], () => one.assignment.length === 1 && two.assignment.length === 1);
      }),
    );

    it(
      'takes back what a leaving member had, after it was told',
      withLog(factory, async (log, under) => {
        const topic = await newTopic(log, 2);
        const group = uniqueName('g');
        const one = await joinRecording(log, group, [topic]);
        const two = await joinRecording(await under.open(), group, [topic]);
        await pollUntil(
          [one.member, two.member],
          () => one.member.assignment.length === 1 && two.member.assignment.length === 1,
        );
        const had = one.member.assignment;
        await one.member.leave();
        await one.member.leave();
        assert.deepEqual(one.events.at(-1), { kind: 'leave', partitions: had });
        await pollUntil([two.member], () => two.member.assignment.length === 2);
        await log.append([record(topic, 0, 'a'), record(topic, 1, 'b')]);
        const seen: string[] = [];
        await pollUntil(
          [two.member],
          () => seen.length === 2,
          (batch) => seen.push(...textsOf([batch])),
        );
      }),
    );

    it(
      'is left by every member of a client that stops',
      withLog(factory, async (log, under) => {
        const topic = await newTopic(log, 2);
        const group = uniqueName('g');
        const leaving = await under.open();
        const one = await joinRecording(leaving, group, [topic]);
        const two = await joinRecording(log, group, [topic]);
        await pollUntil(
          [one.member, two.member],
          () => one.member.assignment.length === 1 && two.member.assignment.length === 1,
        );
        await leaving.stop();
        await leaving.stop();
        assert.equal(at(one.events.at(-1)).kind, 'leave');
        await pollUntil([two.member], () => two.member.assignment.length === 2);
      }),
    );

    it(
      'takes the partitions of a member that crashed',
      withLog(factory, async (log, under) => {
        if (!under.crash) return;
        const topic = await newTopic(log, 2);
        const group = uniqueName('g');
        const crashing = await under.open();
        const one = await joinRecording(crashing, group, [topic]);
        const two = await joinRecording(log, group, [topic]);
        await pollUntil(
          [one.member, two.member],
          () => one.member.assignment.length === 1 && two.member.assignment.length === 1,
        );
        await under.crash(crashing);
        await pollUntil([two.member], () => two.member.assignment.length === 2);
        assert.ok(one.events.every(({ kind }) => kind !== 'leave'));
      }),
    );

    it(
      'does not meet other groups',
      withLog(factory, async (log) => {
        const topic = await newTopic(log, 1);
        await log.append(records(topic, 0, 3));
        for (const group of [uniqueName('g'), uniqueName('g')]) {
          const { member } = await joinRecording(log, group, [topic]);
          const seen: string[] = [];
          await pollUntil(
            [member],
            () => seen.length === 3,
            (batch) => seen.push(...textsOf([batch])),
          );
          assert.deepEqual(await log.committed(group), {});
        }
      }),
    );
  });
}

function keys(topic: string, numbers: readonly number[]): PartitionKey[] {
  return numbers.map((number) => partitionKey(topic, number));
}

function numbersOf(member: GroupMember, topic: string): number[] {
  return member.assignment
    .map(parsePartitionKey)
    .filter((place) => place.topic === topic)
    .map(({ partition }) => partition)
    .sort((a, b) => a - b);
}
