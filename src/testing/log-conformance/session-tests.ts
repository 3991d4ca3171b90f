import assert from 'node:assert/strict';
import { FencedError } from '../../kernel/errors.js';
import { partitionKey } from '../../kernel/position.js';
import type { CommitOutcome, LogSession } from '../../log/event-log.js';
import type { TopicName } from '../../kernel/names.js';
import {
  at,
  code,
  newTopic,
  position,
  readAll,
  record,
  records,
  textOf,
  uniqueName,
  withLog,
  type LogFactory,
  type TestApi,
} from './log-under-test.js';

export function sessionTests(factory: LogFactory, { describe, it }: TestApi): void {
  describe('a session', () => {
    it(
      'commits records and offsets together',
      withLog(factory, async (log, under) => {
        const [input, output] = [await newTopic(log, 1), await newTopic(log, 2)];
        const group = uniqueName('g');
        const session = await log.openSession(uniqueName('task'));
        const transaction = session.begin();
        transaction.append(records(output, 0, 2, 'a'));
        transaction.append([record(output, 1, 'b')]);
        transaction.commitOffsets(group, position([input, 0, 17]));
        assert.deepEqual(await log.committed(group), {});
        const result = await transaction.commit();
        assert.equal(result.outcome, 'committed');
        const other = await under.open();
        assert.deepEqual((await readAll(other, output, 0)).map(textOf), ['a0', 'a1']);
        assert.deepEqual((await readAll(other, output, 1)).map(textOf), ['b']);
        assert.deepEqual(await other.committed(group), { [partitionKey(input, 0)]: 17 });
        if (result.outcome === 'committed') {
          assert.deepEqual(Object.keys(result.position).sort(), [partitionKey(output, 0), partitionKey(output, 1)]);
        }
        await session.close();
      }),
    );

    it(
      'commits one transaction after the other, in order',
      withLog(factory, async (log) => {
        const [input, output] = [await newTopic(log, 1), await newTopic(log, 1)];
        const group = uniqueName('g');
        const session = await log.openSession(uniqueName('task'));
        for (let round = 0; round < 10; round++)
          assert.equal((await commitRound(session, input, output, group, round)).outcome, 'committed');
        assert.deepEqual(
          (await readAll(log, output)).map(textOf),
          Array.from({ length: 10 }, (_, round) => `${round}`),
        );
        assert.deepEqual(await log.committed(group), { [partitionKey(input, 0)]: 10 });
      }),
    );

    it(
      'commits offsets without records, and records without offsets',
      withLog(factory, async (log) => {
        const topic = await newTopic(log, 1);
        const group = uniqueName('g');
        const session = await log.openSession(uniqueName('task'));
        const first = session.begin();
        first.commitOffsets(group, position([topic, 0, 1]));
        assert.equal((await first.commit()).outcome, 'committed');
        const second = session.begin();
        second.append([record(topic, 0, 'alone')]);
        assert.equal((await second.commit()).outcome, 'committed');
        assert.equal((await session.begin().commit()).outcome, 'committed');
        assert.deepEqual((await readAll(log, topic)).map(textOf), ['alone']);
        assert.deepEqual(await log.committed(group), { [partitionKey(topic, 0)]: 1 });
      }),
    );

    it(
      'writes nothing of an aborted transaction, and goes on',
      withLog(factory, async (log) => {
        const topic = await newTopic(log, 1);
        const group = uniqueName('g');
        const session = await log.openSession(uniqueName('task'));
        const dropped = session.begin();
        dropped.append([record(topic, 0, 'dropped')]);
        dropped.commitOffsets(group, position([topic, 0, 9]));
        await dropped.abort();
        const kept = session.begin();
        kept.append([record(topic, 0, 'kept')]);
        await kept.commit();
        assert.deepEqual((await readAll(log, topic)).map(textOf), ['kept']);
        assert.deepEqual(await log.committed(group), {});
      }),
    );

    it(
      'has one transaction at a time',
      withLog(factory, async (log) => {
        const topic = await newTopic(log, 1);
        const session = await log.openSession(uniqueName('task'));
        const transaction = session.begin();
        assert.throws(() => session.begin(), code('KAPPA_SESSION_MISUSED'));
        await transaction.commit();
        assert.throws(() => transaction.append([record(topic, 0, 'late')]), code('KAPPA_SESSION_MISUSED'));
        await session.close();
        assert.throws(() => session.begin(), code('KAPPA_SESSION_MISUSED'));
      }),
    );

    it(
      'is fenced by a later session of its task, and writes nothing then',
      withLog(factory, async (log, under) => {
        const [input, output] = [await newTopic(log, 1), await newTopic(log, 1)];
        const [task, group] = [uniqueName('task'), uniqueName('g')];
        const zombie = await log.openSession(task);
        await commitRound(zombie, input, output, group, 0);
        const pending = zombie.begin();
        pending.append([record(output, 0, 'zombie')]);
        pending.commitOffsets(group, position([input, 0, 99]));
        const owner = await (await under.open()).openSession(task);
        await assert.rejects(pending.commit(), (error) => error instanceof FencedError);
        assert.equal((await commitRound(owner, input, output, group, 1)).outcome, 'committed');
        await assert.rejects(commitRound(zombie, input, output, group, 2), (error) => error instanceof FencedError);
        assert.deepEqual((await readAll(log, output)).map(textOf), ['0', '1']);
        assert.deepEqual(await log.committed(group), { [partitionKey(input, 0)]: 2 });
      }),
    );

    it(
      'is left alone by sessions of other tasks',
      withLog(factory, async (log, under) => {
        const [input, output] = [await newTopic(log, 2), await newTopic(log, 1)];
        const group = uniqueName('g');
        const one = await log.openSession(uniqueName('task'));
        const two = await (await under.open()).openSession(uniqueName('task'));
        const outcomes = await Promise.all([
          commitRound(one, input, output, group, 0, 0),
          commitRound(two, input, output, group, 1, 1),
        ]);
        assert.deepEqual(
          outcomes.map(({ outcome }) => outcome),
          ['committed', 'committed'],
        );
        assert.equal((await readAll(log, output)).length, 2);
        assert.deepEqual(await log.committed(group), { [partitionKey(input, 0)]: 1, [partitionKey(input, 1)]: 2 });
      }),
    );

    it(
      'aborts as a whole when a record is too large',
      withLog(factory, async (log) => {
        const topic = await newTopic(log, 1);
        const group = uniqueName('g');
        const session = await log.openSession(uniqueName('task'));
        const transaction = session.begin();
        transaction.append([
          record(topic, 0, 'small'),
          { ...record(topic, 0, 'large'), value: Buffer.alloc(log.limits.maxRecordBytes + 1) },
        ]);
        transaction.commitOffsets(group, position([topic, 0, 5]));
        const result = await transaction.commit();
        assert.equal(result.outcome, 'aborted');
        if (result.outcome === 'aborted') assert.ok(code('KAPPA_RECORD_TOO_LARGE')(result.cause));
        assert.deepEqual(await readAll(log, topic), []);
        assert.deepEqual(await log.committed(group), {});
      }),
    );

    it(
      'takes over from one that stopped anywhere, with each input written once',
      withLog(factory, async (log, under) => {
        const [input, output] = [await newTopic(log, 1), await newTopic(log, 1)];
        const [task, group] = [uniqueName('task'), uniqueName('g')];
        await log.append(records(input, 0, 12));
        // Each owner commits two inputs, leaves a third uncommitted and is replaced without a word.
        for (let owner = 0; owner < 4; owner++) {
          const client = await under.open();
          const session = await client.openSession(task);
          const from = (await client.committed(group))[partitionKey(input, 0)] ?? 0;
          const rest = (await readAll(client, input)).filter(({ offset }) => offset >= from);
          for (const taken of rest.slice(0, 3)) {
            const transaction = session.begin();
            transaction.append([record(output, 0, textOf(taken))]);
            transaction.commitOffsets(group, position([input, 0, taken.offset + 1]));
            if (taken === rest[2]) break;
            assert.equal((await transaction.commit()).outcome, 'committed');
          }
        }
        assert.deepEqual(
          (await readAll(log, output)).map(textOf),
          Array.from({ length: 8 }, (_, index) => `r${index}`),
        );
      }),
    );

    it(
      'whose answer is lost has the outcome it had, or an unknown one, which opening it again settles',
      withLog(factory, async (log, under) => {
        if (!under.loseNextAnswer) return;
        const [input, output] = [await newTopic(log, 1), await newTopic(log, 1)];
        const [task, group] = [uniqueName('task'), uniqueName('g')];
        const session = await log.openSession(task);
        await commitRound(session, input, output, group, 0);
        await under.loseNextAnswer(log);
        const result = await commitRound(session, input, output, group, 1);
        assert.ok(result.outcome === 'unknown' || result.outcome === 'committed', result.outcome);
        const again = await log.openSession(task);
        const from = at((await log.committed(group))[partitionKey(input, 0)]);
        assert.equal((await readAll(log, output)).length, from, 'records and offsets tell the same');
        for (let round = from; round < 4; round++) await commitRound(again, input, output, group, round);
        assert.deepEqual((await readAll(log, output)).map(textOf), ['0', '1', '2', '3']);
      }),
    );
  });
}

function commitRound(
  session: LogSession,
  input: TopicName,
  output: TopicName,
  group: string,
  round: number,
  partition = 0,
): Promise<CommitOutcome> {
  const transaction = session.begin();
  transaction.append([record(output, 0, `${round}`)]);
  transaction.commitOffsets(group, position([input, partition, round + 1]));
  return transaction.commit();
}
