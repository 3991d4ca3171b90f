import assert from 'node:assert/strict';
import type { EventLog } from '../../log/event-log.js';
import type { Position } from '../../kernel/position.js';
import { partitionKey } from '../../kernel/position.js';
import { topicName } from '../../kernel/names.js';
import {
  at,
  beginOf,
  code,
  endOf,
  joinRecording,
  newTopic,
  pollUntil,
  position,
  records,
  textsOf,
  uniqueName,
  withLog,
  type LogFactory,
  type TestApi,
} from './log-under-test.js';

export function groupViewTests(factory: LogFactory, { describe, it }: TestApi): void {
  describe('a consumer group seen from outside', () => {
    it(
      'is nobody’s before it has a member or has committed something',
      withLog(factory, async (log) => {
        const group = uniqueName('g');
        assert.equal(await log.groups.describe(group), null);
        assert.ok(!(await log.groups.list()).some((one) => one.group === group));
      }),
    );

    it(
      'shows its members, what each owns, and what is committed',
      withLog(factory, async (log, under) => {
        const topic = await newTopic(log, 3);
        const group = uniqueName('g');
        const members = [
          (await joinRecording(log, group, [topic])).member,
          (await joinRecording(await under.open(), group, [topic])).member,
        ];
        await pollUntil(
          members,
          () =>
            members
              .map(({ assignment }) => assignment.length)
              .toSorted()
              .join() === '1,2',
        );
        await commit(log, group, position([topic, 1, await beginOf(log, topic, 1)]));
        const described = at(await log.groups.describe(group));
        assert.deepEqual(described.topics, [topic]);
        assert.deepEqual(
          described.members.map(({ partitions }) => [...partitions].sort()).toSorted(),
          members.map(({ assignment }) => [...assignment].sort()).toSorted(),
        );
        assert.deepEqual(described.committed, position([topic, 1, await beginOf(log, topic, 1)]));
        assert.deepEqual(
          (await log.groups.list()).find((one) => one.group === group),
          described,
        );
      }),
    );

    it(
      'goes on where an idle group was sought to, and where it was in the other partitions',
      withLog(factory, async (log) => {
        const topic = await newTopic(log, 2);
        const group = uniqueName('g');
        await log.append([...records(topic, 0, 3, 'a'), ...records(topic, 1, 3, 'b')]);
        await commit(log, group, position([topic, 0, await endOf(log, topic, 0)], [topic, 1, await endOf(log, topic, 1)]));
        await log.groups.seek(group, position([topic, 0, await beginOf(log, topic, 0)]));
        const { member } = await joinRecording(log, group, [topic]);
        await log.append(records(topic, 1, 1, 'c'));
        const seen: string[] = [];
        await pollUntil(
          [member],
          () => seen.length === 4,
          (batch) => seen.push(...textsOf([batch])),
        );
        assert.deepEqual(seen.toSorted(), ['a0', 'a1', 'a2', 'c0']);
      }),
    );

    it(
      'is not moved while it has a member, and can be when that has left',
      withLog(factory, async (log) => {
        const topic = await newTopic(log, 1);
        const group = uniqueName('g');
        await log.append(records(topic, 0, 2));
        const [begin, end] = [await beginOf(log, topic), await endOf(log, topic)];
        await commit(log, group, position([topic, 0, end]));
        const { member } = await joinRecording(log, group, [topic]);
        await pollUntil([member], () => member.assignment.length === 1);
        await assert.rejects(log.groups.seek(group, position([topic, 0, begin])), code('KAPPA_GROUP_ACTIVE'));
        assert.deepEqual(await log.committed(group), position([topic, 0, end]));
        await member.leave();
        await log.groups.seek(group, position([topic, 0, begin]));
        assert.deepEqual(await log.committed(group), position([topic, 0, begin]));
      }),
    );

    it(
      'is not moved in topics and partitions that there are not',
      withLog(factory, async (log) => {
        const topic = await newTopic(log, 1);
        const group = uniqueName('g');
        const nowhere = { [partitionKey(topicName(uniqueName('t')), 0)]: 0 };
        await assert.rejects(log.groups.seek(group, nowhere), code('KAPPA_UNKNOWN_TOPIC'));
        await assert.rejects(log.groups.seek(group, position([topic, 1, 0])), code('KAPPA_UNKNOWN_PARTITION'));
        assert.equal(await log.groups.describe(group), null);
      }),
    );
  });
}

async function commit(log: EventLog, group: string, offsets: Position): Promise<void> {
  const session = await log.openSession(uniqueName('task'));
  const transaction = session.begin();
  transaction.commitOffsets(group, offsets);
  assert.equal((await transaction.commit()).outcome, 'committed');
  await session.close();
}
