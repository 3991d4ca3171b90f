import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { topicName, type TopicName } from '../../../src/kernel/names.js';
import type { Retention } from '../../../src/kernel/topic.js';
import { beginOf, endOf, readAll, record, uniqueName } from '../../../src/testing/log-conformance/log-under-test.js';
import { LogDatabase, type LogClient } from './log-databases.js';

let test: LogDatabase;
let client: LogClient;

beforeAll(async () => {
  test = await LogDatabase.create();
  client = await test.client();
});

afterAll(() => test.close());

async function newTopic(retention: Retention): Promise<TopicName> {
  const name = topicName(uniqueName('kept'));
  await client.log.createTopic({ name, partitions: 1, retention });
  return name;
}

function large(topic: TopicName, count: number) {
  return Array.from({ length: count }, (_, index) => ({ ...record(topic, 0, `${index}`), value: Buffer.alloc(10_000) }));
}

describe('retention', () => {
  it('by several processes at once removes what one alone would', async () => {
    const topic = await newTopic({ bytes: 55_000 });
    const clients = [client, await test.client(), await test.client()];
    for (let round = 0; round < 3; round++) {
      await client.log.append(large(topic, 20));
      await Promise.all(clients.map(({ log }) => log.enforceRetention()));
      expect((await readAll(client.log, topic)).length).toBe(6);
    }
    expect(await beginOf(client.log, topic)).toBe(54);
  });

  it('counts right after another process has removed what it knew', async () => {
    const topic = await newTopic({ bytes: 55_000 });
    const other = await test.client();
    await client.log.append(large(topic, 8));
    await client.log.enforceRetention();
    await client.log.append(large(topic, 20));
    await other.log.enforceRetention();
    await client.log.append(large(topic, 3));
    await client.log.enforceRetention();
    expect((await readAll(client.log, topic)).length).toBe(6);
  });

  it('by time goes by the time of the append', async () => {
    const topic = await newTopic({ ms: 3_600_000 });
    await client.log.append(large(topic, 10));
    await client.database.query(
      `update log_records r set recorded_at = now() - (10 - r."offset") * interval '20 min' from topics t where t.id = r.topic_id and t.name = $1`,
      [topic],
    );
    await client.log.enforceRetention();
    expect((await readAll(client.log, topic)).map(({ offset }) => offset)).toEqual([8, 9]);
  });

  it('in more than one batch empties a partition, whose offsets go on', async () => {
    const topic = await newTopic({ ms: 1 });
    const removed = 4_500;
    await client.log.append(Array.from({ length: removed }, (_, index) => record(topic, 0, `${index}`)));
    await client.database.query(
      `update log_records r set recorded_at = now() - interval '1 h' from topics t where t.id = r.topic_id and t.name = $1`,
      [topic],
    );
    expect(await client.log.enforceRetention()).toBe(removed);
    expect([await beginOf(client.log, topic), await endOf(client.log, topic)]).toEqual([removed, removed]);
  });

  it('keeps the head of a stream whose events it removed', async () => {
    const topic = await newTopic({ ms: 3_600_000 });
    await client.log.append(Array.from({ length: 6 }, (_, index) => record(topic, 0, `${index}`)));
    // Streams a (1, 2, 3) and b (1, 2); b's last event is young. A record without a stream is among them.
    await client.database.query(
      `update log_records r
       set stream = s.stream, version = s.version, recorded_at = case when s.old then now() - interval '2 h' else now() end
       from topics t, (values (0, '/x/a', 1, true), (1, '/x/b', 1, true), (2, '/x/a', 2, true), (3, null, null, true), (4, '/x/a', 3, true), (5, '/x/b', 2, false))
            as s (at, stream, version, old)
       where t.id = r.topic_id and t.name = $1 and s.at = r."offset"`,
      [topic],
    );
    await client.log.enforceRetention();
    expect((await readAll(client.log, topic)).map(({ offset }) => offset)).toEqual([5]);
    const { rows } = await client.database.query('select stream, version from stream_heads order by stream');
    expect(rows).toEqual([{ stream: '/x/a', version: 3 }]);
  });
});
