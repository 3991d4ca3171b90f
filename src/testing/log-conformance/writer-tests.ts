import assert from 'node:assert/strict';
import { FencedError } from '../../kernel/errors.js';
import { endOf, newTopic, readAll, record, records, textOf, uniqueName, withLog, code } from './log-under-test.js';
import type { LogFactory, TestApi } from './log-under-test.js';

/** Writers of one partition. */
export function writerTests(factory: LogFactory, { describe, it }: TestApi): void {
  describe('a writer', () => {
    it(
      'appends in order what readers see at once',
      withLog(factory, async (log) => {
        const topic = await newTopic(log, 2);
        const writer = await log.openWriter(uniqueName('task'), topic, 1);
        await writer.write(records(topic, 1, 3, 'a'));
        assert.deepEqual((await readAll(log, topic, 1)).map(textOf), ['a0', 'a1', 'a2']);
        await writer.write(records(topic, 1, 2, 'b'));
        assert.deepEqual((await readAll(log, topic, 1)).map(textOf), ['a0', 'a1', 'a2', 'b0', 'b1']);
        assert.deepEqual(await readAll(log, topic, 0), []);
      }),
    );

    it(
      'writes more than fits into one batch, in order',
      withLog(factory, async (log) => {
        const topic = await newTopic(log, 1);
        const writer = await log.openWriter(uniqueName('task'), topic, 0);
        const value = Buffer.alloc(300_000, 'x');
        await writer.write(records(topic, 0, 8).map((each) => ({ ...each, value })));
        assert.deepEqual(
          (await readAll(log, topic)).map(({ key }) => key),
          records(topic, 0, 8).map(({ key }) => key),
        );
      }),
    );

    it(
      'is refused once a later one of its task was opened, and the end stays where that one found it',
      withLog(factory, async (log, under) => {
        const topic = await newTopic(log, 1);
        const task = uniqueName('task');
        const zombie = await log.openWriter(task, topic, 0);
        await zombie.write(records(topic, 0, 2, 'before'));
        const client = await under.open();
        const owner = await client.openWriter(task, topic, 0);
        const end = await endOf(client, topic);
        await assert.rejects(zombie.write([record(topic, 0, 'late')]), (error) => error instanceof FencedError);
        assert.equal(await endOf(client, topic), end);
        await owner.write([record(topic, 0, 'after')]);
        assert.deepEqual((await readAll(log, topic)).map(textOf), ['before0', 'before1', 'after']);
      }),
    );

    it(
      'that is taken over in the middle of its work has written what the next one finds, and nothing after it',
      withLog(factory, async (log, under) => {
        const topic = await newTopic(log, 1);
        const task = uniqueName('task');
        const clients = [log, await under.open()];
        const stands: string[] = [];
        for (let round = 0; round < 6; round += 1) {
          const [busy, next] = round % 2 === 0 ? clients : clients.toReversed();
          const writer = await (busy ?? log).openWriter(task, topic, 0);
          const writing = (async () => {
            for (let n = 0; ; n += 1) await writer.write([record(topic, 0, `${round}-${n}`)]);
          })();
          const refused = assert.rejects(writing, (error) => error instanceof FencedError);
          const owner = await (next ?? log).openWriter(task, topic, 0);
          const found = (await readAll(next ?? log, topic)).map(textOf);
          await owner.write([record(topic, 0, `${round}-taken`)]);
          await refused;
          assert.deepEqual((await readAll(log, topic)).map(textOf), [...found, `${round}-taken`]);
          assert.deepEqual(found.slice(0, stands.length), stands);
          stands.splice(0, stands.length, ...found, `${round}-taken`);
        }
      }),
    );

    it(
      'whose answer is lost is over, and the next one finds what it has written',
      withLog(factory, async (log, under) => {
        if (!under.loseNextAnswer) return;
        const topic = await newTopic(log, 1);
        const task = uniqueName('task');
        const writer = await log.openWriter(task, topic, 0);
        await writer.write([record(topic, 0, '0')]);
        await under.loseNextAnswer(log);
        await writer.write([record(topic, 0, '1')]).catch(() => undefined);
        const again = await log.openWriter(task, topic, 0);
        const { length } = await readAll(log, topic);
        for (let n = length; n < 4; n += 1) await again.write([record(topic, 0, `${n}`)]);
        assert.deepEqual((await readAll(log, topic)).map(textOf), ['0', '1', '2', '3']);
      }),
    );

    it(
      'cannot be used when it is closed',
      withLog(factory, async (log) => {
        const topic = await newTopic(log, 1);
        const writer = await log.openWriter(uniqueName('task'), topic, 0);
        await writer.close();
        await writer.close();
        await assert.rejects(writer.write([record(topic, 0, 'late')]), code('KAPPA_SESSION_MISUSED'));
        assert.deepEqual(await readAll(log, topic), []);
      }),
    );
  });
}
