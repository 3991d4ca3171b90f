import assert from 'node:assert/strict';
import { topicName } from '../../kernel/names.js';
import { at, code, newTopic, uniqueName, withLog, type LogFactory, type TestApi } from './log-under-test.js';

export function topicTests(factory: LogFactory, { describe, it }: TestApi): void {
  describe('topics', () => {
    it(
      'stand as they were specified, for every client',
      withLog(factory, async (log, under) => {
        const name = topicName(uniqueName('t'));
        const created = await log.createTopic({ name, partitions: 3, retention: { ms: 86_400_000 } });
        assert.deepEqual(
          { ...created, incarnation: '' },
          { name, partitions: 3, retention: { ms: 86_400_000 }, incarnation: '' },
        );
        const other = await under.open();
        assert.deepEqual(await other.describeTopic(name), created);
        assert.deepEqual(
          (await other.listTopics()).find((topic) => topic.name === name),
          created,
        );
      }),
    );

    it(
      'are confirmed when they stand already, and stay the same incarnation',
      withLog(factory, async (log) => {
        const name = await newTopic(log, 2);
        const before = at(await log.describeTopic(name));
        const again = await log.createTopic({ name, partitions: 2, retention: null });
        assert.equal(again.incarnation, before.incarnation);
      }),
    );

    it(
      'created by two clients at once are one topic',
      withLog(factory, async (log, under) => {
        const other = await under.open();
        const spec = { name: topicName(uniqueName('t')), partitions: 2, retention: null };
        const [one, two] = await Promise.all([log.createTopic(spec), other.createTopic(spec)]);
        assert.equal(one.incarnation, two.incarnation);
      }),
    );

    it(
      'refuse another number of partitions, and say which to declare',
      withLog(factory, async (log) => {
        const name = await newTopic(log, 2);
        await assert.rejects(log.createTopic({ name, partitions: 3, retention: null }), (error) => {
          assert.ok(code('KAPPA_TOPIC_MISMATCH')(error));
          assert.match(String(error), /2/);
          return true;
        });
        assert.equal(at(await log.describeTopic(name)).partitions, 2);
      }),
    );

    it(
      'change their retention when another is specified, or say how they differ',
      withLog(factory, async (log, { reportsDifferences }) => {
        const name = await newTopic(log, 1, { ms: 60_000 });
        if (reportsDifferences) {
          const described = await log.createTopic({ name, partitions: 1, retention: { ms: 120_000 } });
          assert.deepEqual(described.retention, { ms: 60_000 });
          assert.deepEqual(described.differences, [{ setting: 'retention.ms', declared: '120000', actual: '60000' }]);
          assert.equal((await log.createTopic({ name, partitions: 1, retention: { ms: 60_000 } })).differences, undefined);
          return;
        }
        await log.createTopic({ name, partitions: 1, retention: { ms: 120_000 } });
        assert.deepEqual(at(await log.describeTopic(name)).retention, { ms: 120_000 });
        await log.createTopic({ name, partitions: 1, retention: null });
        assert.equal(at(await log.describeTopic(name)).retention, null);
      }),
    );

    it(
      'keep the newest record of each key where they compact, and are refused where the log cannot',
      withLog(factory, async (log) => {
        const name = topicName(uniqueName('t'));
        const created = await log
          .createTopic({ name, partitions: 1, retention: null, compaction: true })
          .catch((error: unknown) => assert.ok(code('KAPPA_UNSUPPORTED')(error)));
        if (created) assert.equal(at(await log.describeTopic(name)).compaction, true);
        else assert.equal(await log.describeTopic(name), null);
      }),
    );

    it(
      'that nobody created are unknown',
      withLog(factory, async (log) => {
        const name = topicName(uniqueName('nothing'));
        assert.equal(await log.describeTopic(name), null);
        await assert.rejects(log.offsets(name), code('KAPPA_UNKNOWN_TOPIC'));
        await assert.rejects(
          log.append([{ topic: name, partition: 0, key: null, value: null, headers: {} }]),
          code('KAPPA_UNKNOWN_TOPIC'),
        );
      }),
    );

    it(
      'begin where they end while they are empty',
      withLog(factory, async (log) => {
        const offsets = await log.offsets(await newTopic(log, 3));
        assert.deepEqual(
          offsets.map(({ partition }) => partition),
          [0, 1, 2],
        );
        for (const { begin, end } of offsets) assert.equal(begin, end);
      }),
    );

    it(
      'belong to one log, whoever asks',
      withLog(factory, async (log, under) => {
        const identity = await log.identity();
        assert.equal(identity.driver, log.driver);
        assert.notEqual(identity.cluster, '');
        assert.deepEqual(await (await under.open()).identity(), identity);
      }),
    );
  });
}
