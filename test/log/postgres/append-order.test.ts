import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Database } from '../../../src/database/database.js';
import { RetriableError } from '../../../src/kernel/errors.js';
import { topicName } from '../../../src/kernel/names.js';
import { endOf, position, readAll, record, textsOf, textOf } from '../../../src/testing/log-conformance/log-under-test.js';
import { LogDatabase, type LogClient } from './log-databases.js';

const PROCESS = fileURLToPath(new URL('./appending-process.mjs', import.meta.url));
const topic = topicName('ordered');

let test: LogDatabase;
let client: LogClient;
let others: pg.Client[];

beforeEach(async () => {
  others = [];
  test = await LogDatabase.create();
  client = await test.client();
  await client.log.createTopic({ name: topic, partitions: 2, retention: null });
});

afterEach(async () => {
  for (const other of others) await other.end();
  await test.close();
});

/** What a connection of ours is opened with, for a process that has only `pg`. */
function clientConfig(): string {
  const { options } = new Database({ url: test.test.url }).clientConfig();
  return JSON.stringify({ connectionString: test.test.url, options });
}

/** A connection without any of our settings, as an application's own: not even the schema is in its search path. */
async function connect(): Promise<pg.Client> {
  const other = new pg.Client({ connectionString: test.test.url });
  others.push(other);
  await other.connect();
  return other;
}

/** Another connection in a transaction of its own, which has appended and not committed. */
async function appendedUncommitted(text: string, settings = ''): Promise<pg.Client> {
  const other = await connect();
  await other.query(settings);
  await other.query('begin');
  await other.query(`select kappa.append_records('{1}', '{0}', '{1}', $1, array[convert_to($2, 'UTF8')], '{"{}"}', '{null}')`, [
    [text],
    text,
  ]);
  return other;
}

describe('the order of a partition', () => {
  it('holds while an appender has not committed: others wait, then may try again, and no reader passes', async () => {
    await client.log.append([record(topic, 0, 'before')]);
    const slow = await appendedUncommitted('slow');
    // The append waits for the lock until its timeout; meanwhile the neighbour partition takes records.
    const refused = expect(client.log.append([record(topic, 0, 'after')])).rejects.toBeInstanceOf(RetriableError);
    await client.log.append([record(topic, 1, 'neighbour')]);
    await refused;
    expect((await readAll(client.log, topic, 0)).map(textOf)).toEqual(['before']);
    expect((await readAll(client.log, topic, 1)).map(textOf)).toEqual(['neighbour']);

    const stop = new AbortController();
    const seen: string[] = [];
    const following = (async () => {
      for await (const batch of client.log.read({ from: position([topic, 0, 0]), signal: stop.signal })) {
        seen.push(...textsOf([batch]));
        if (seen.includes('after')) stop.abort();
      }
    })();
    const after = client.log.append([record(topic, 0, 'after')]);
    await slow.query('commit');
    await after;
    await following;
    expect(seen).toEqual(['before', 'slow', 'after']);
  });

  it('would be lost without the lock: a reader passes what is not committed yet, and never sees it', async () => {
    // The same functions as they would be without it: numbers given out beforehand, nobody waiting for anybody.
    await client.database.query(`
      create sequence unlocked minvalue 0;
      create or replace function lock_partitions(p_topic_ids int[], p_partitions int[]) returns void language sql as '';
      create or replace function partition_tail(p_topic_id int, p_partition int, out next_offset bigint, out recorded_at timestamptz)
      language sql as $body$ select nextval('kappa.unlocked'), clock_timestamp() $body$`);
    const slow = await appendedUncommitted('slow');
    await client.log.append([record(topic, 0, 'after')]);
    const seen: string[] = [];
    const stop = new AbortController();
    for await (const batch of client.log.read({ from: position([topic, 0, 0]), signal: stop.signal })) {
      seen.push(...textsOf([batch]));
      if (seen.at(-1) === 'after') {
        await slow.query('commit');
        await client.log.append([record(topic, 0, 'last')]);
      } else stop.abort();
    }
    expect(seen).toEqual(['after', 'last']);
    expect((await readAll(client.log, topic, 0)).map(textOf)).toEqual(['slow', 'after', 'last']);
  });

  it('comes free again when the process that holds it is stopped by a signal', async () => {
    const child = fork(PROCESS, { env: { ...process.env, CLIENT_CONFIG: clientConfig(), WRITER: 'stopped', HOLD: 'yes' } });
    try {
      await once(child, 'message');
      child.kill('SIGSTOP');
      let refusals = 0;
      for (let appended = false; !appended;) {
        appended = await client.log.append([record(topic, 0, 'goes on')]).then(
          () => true,
          (error: unknown) => {
            expect(error).toBeInstanceOf(RetriableError);
            refusals += 1;
            return false;
          },
        );
      }
      expect(refusals).toBeGreaterThan(0);
      child.kill('SIGCONT');
      child.send('commit');
      await once(child, 'exit');
      expect((await readAll(client.log, topic, 0)).map(textOf)).toEqual(['goes on']);
    } finally {
      child.kill('SIGKILL');
    }
  });

  it('stays dense when sixteen processes append to the same partitions, and none of their records is lost', async () => {
    const [processes, appends] = [16, 30];
    const children = Array.from({ length: processes }, (_, writer) =>
      fork(PROCESS, {
        env: { ...process.env, CLIENT_CONFIG: clientConfig(), WRITER: String(writer), APPENDS: String(appends) },
      }),
    );
    const exits = await Promise.all(children.map(async (child) => (await once(child, 'exit'))[0] as number));
    expect(exits).toEqual(exits.map(() => 0));
    for (const partition of [0, 1]) {
      const kept = await readAll(client.log, topic, partition);
      expect(kept.map(({ offset }) => offset)).toEqual(kept.map((_, index) => index));
      for (let writer = 0; writer < processes; writer++) {
        const own = kept.map(textOf).filter((text) => text.startsWith(`${writer}:`));
        const expected = Array.from({ length: appends }, (_, round) => round).filter(
          (round) => round % 3 === 0 || round % 2 === partition,
        );
        expect(own).toEqual(expected.map((round) => `${writer}:${round}`));
      }
    }
  });

  it('is kept by inserts alone: no row is updated that a foreign snapshot could make slow', async () => {
    const foreign = await connect();
    await foreign.query('begin isolation level repeatable read; select count(*) from kappa.log_records');
    const appender = await connect();
    await appender.query('begin');
    for (let round = 0; round < 50; round++) {
      await appender.query(
        `select kappa.append_records('{1,1}', '{0,1}', '{1,2}', '{a,b,c}', '{a,b,c}', '{"{}","{}","{}"}', '{null,null,null}')`,
      );
    }
    const { rows } = await appender.query<{ relname: string; inserted: number; changed: number }>(`
      select relname, n_tup_ins::int as inserted, (n_tup_upd + n_tup_del)::int as changed
      from pg_stat_xact_user_tables where schemaname = 'kappa' and n_tup_ins + n_tup_upd + n_tup_del > 0`);
    expect(rows).toEqual([{ relname: 'log_records', inserted: 150, changed: 0 }]);
  });

  it('is found by the index, also with plans that were made while the table was small', async () => {
    const appender = await connect();
    const append = () => appender.query(`select kappa.append_records('{1}', '{0}', '{1}', '{a}', '{a}', '{"{}"}', '{null}')`);
    for (let round = 0; round < 3; round++) await append();
    await appender.query('analyze kappa.log_records');
    for (let round = 0; round < 10; round++) await append();
    await appender.query(`
      insert into kappa.log_records ("offset", recorded_at, topic_id, partition, headers)
      select n, now(), 1, 0, '{}' from generate_series(1000, 20000) n`);
    await appender.query('begin');
    for (let round = 0; round < 10; round++) await append();
    const { rows } = await appender.query<{ scans: number; read: number }>(`
      select coalesce(sum(seq_scan), 0)::int as scans, coalesce(sum(seq_tup_read), 0)::int as read
      from pg_stat_xact_user_tables where relname = 'log_records'`);
    expect(rows).toEqual([{ scans: 0, read: 0 }]);
    await appender.query('commit');
    expect(await endOf(client.log, topic, 0)).toBe(20_011);
  });

  it('is refused outside READ COMMITTED, where the look after the lock would be an old one', async () => {
    await expect(appendedUncommitted('x', `set default_transaction_isolation to 'repeatable read';`)).rejects.toMatchObject({
      code: 'KA001',
      message: expect.stringMatching(/READ COMMITTED.*REPEATABLE READ/) as string,
    });
  });

  it('is the matter of one schema: another log in the same database does not wait', async () => {
    await appendedUncommitted('slow');
    const other = await LogDatabase.beside(test, 'other');
    try {
      const { log } = await other.client();
      await log.createTopic({ name: topic, partitions: 1, retention: null });
      await log.append([record(topic, 0, 'free')]);
      expect((await readAll(log, topic)).map(textOf)).toEqual(['free']);
      expect((await log.identity()).cluster).not.toBe((await client.log.identity()).cluster);
    } finally {
      await other.closeClients();
    }
  });
});
