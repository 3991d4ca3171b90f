import { setImmediate as turn } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { sqlState } from '../../src/database/database-errors.js';
import { Database } from '../../src/database/database.js';
import type { TextStatement } from '../../src/database/text-query.js';
import { RetriableError } from '../../src/kernel/errors.js';
import { latest, type Position } from '../../src/kernel/position.js';
import type { AppendOutcome, AppendRequest } from '../../src/modules/aggregates/append-request.js';
import { Appender } from '../../src/modules/aggregates/appender.js';
import { idIn, requests, type Given } from './support/append-requests.js';
import { WriteSide } from './support/write-side.js';

let side: WriteSide;
let request: (given: Given) => AppendRequest;

beforeAll(async () => {
  side = await WriteSide.start();
  await side.executor();
  request = await requests(side.database);
});
afterAll(() => side.stop());

/** An appender, what it sent and what it signalled. */
function appender(limits: ConstructorParameters<typeof Appender>[2] = {}, on: Database = side.database) {
  const sent: TextStatement[] = [];
  const failed: unknown[] = [];
  const signalled: Position[] = [];
  const database: Pick<Database, 'connect' | 'schema'> = {
    schema: on.schema,
    connect: async () => {
      const connection = await on.connect();
      const texts = connection.texts.bind(connection);
      return Object.assign(connection, {
        texts: (statement: TextStatement) => {
          sent.push(statement);
          return texts(statement).catch((error: unknown) => {
            failed.push(sqlState(error));
            throw error;
          });
        },
      });
    },
  };
  return { it: new Appender(database, { appended: (position) => signalled.push(position) }, limits), sent, failed, signalled };
}

/** Where the streams of a statement's commands stand in its parameters. */
const STREAMS: Readonly<Record<string, number>> = { 'kappa append group': 5, 'kappa append group judged': 2 };

function commandsOf({ name = '', values }: TextStatement): number {
  return name === 'kappa append one' ? 1 : (values[STREAMS[name] ?? 0] as Buffer).readInt32BE(12);
}

const outcomesOf = (outcomes: readonly AppendOutcome[]): readonly string[] => outcomes.map(({ outcome }) => outcome);

it('commits what gathers while one group commits as the next group', async () => {
  const { it: appends, sent } = appender({ concurrentGroups: 1 });
  const first = appends.append(request({ id: 'gather-first' }));
  await turn();
  const rest = Array.from({ length: 50 }, (_, n) => appends.append(request({ id: `gather-${n}` })));
  expect(outcomesOf(await Promise.all([first, ...rest]))).toEqual(Array.from({ length: 51 }, () => 'appended'));
  expect(sent.map(({ name }) => name)).toEqual(['kappa append one', 'kappa append group']);
});

it('tells a conflict inside a group to its command alone, and the neighbours commit', async () => {
  const { it: appends, sent, signalled } = appender();
  await appends.append(request({ id: 'hit' }));
  const outcomes = await Promise.all(
    ['a', 'hit', 'b'].map((id) => appends.append(request({ id, expectedVersion: id === 'hit' ? 7 : 0 }))),
  );
  expect(outcomes).toMatchObject([{ outcome: 'appended' }, { outcome: 'conflict', head: 1 }, { outcome: 'appended' }]);
  expect(sent).toHaveLength(2);
  const reached = latest(...signalled);
  for (const id of ['a', 'b', 'hit']) expect(reached[request({ id }).partitionKey]).toBeGreaterThan(0);
});

it('appends commands of one stream, one id and one value that arrive together', async () => {
  const { it: appends } = appender();
  const same = request({ id: 'together' });
  const claims = [{ name: 'together', value: 'v' }];
  const outcomes = await Promise.all(
    [
      same,
      same,
      request({ id: 'together', expectedVersion: 1 }),
      request({ id: 'x', claims }),
      request({ id: 'y', claims }),
    ].map((one) => appends.append(one)),
  );
  expect(outcomesOf(outcomes.slice(0, 3))).toEqual(['appended', 'repeated', 'appended']);
  expect(outcomesOf(outcomes.slice(3)).toSorted()).toEqual(['appended', 'taken']);
});

it('bounds a group by commands and by bytes, and sends a larger command alone', async () => {
  const { it: appends, sent } = appender({ concurrentGroups: 1, groupCommands: 10, groupBytes: 1_000 });
  await Promise.all([
    ...Array.from({ length: 20 }, (_, n) => appends.append(request({ id: `small-${n}`, bytes: 1 }))),
    ...Array.from({ length: 4 }, (_, n) => appends.append(request({ id: `large-${n}`, bytes: 2_000 }))),
  ]);
  const sizes = sent.map(commandsOf);
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(24);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(10);
  expect(sizes.filter((size) => size === 1).length).toBeGreaterThanOrEqual(4);
});

it('begins a second group at once beside one that waits, where 16 commands are ready', async () => {
  const { it: appends, sent } = appender();
  // Nothing is late while no time passes.
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const holder = await side.database.connect();
  try {
    await holder.query('begin');
    await holder.query('select lock_partitions(array[$1::int], array[0])', [request({ id: 'any' }).topicId]);
    const first = appends.append(request({ id: idIn(0, 'beside-first') }));
    while (sent.length === 0) await turn();
    const others = Array.from({ length: 15 }, (_, n) => appends.append(request({ id: idIn((n % 5) + 1, `beside-${n}`) })));
    // Had these been enough, a group would have them by now.
    await turn();
    others.push(appends.append(request({ id: idIn(1, 'beside-last') })));
    await Promise.all(others);
    expect(sent.map(commandsOf)).toEqual([1, 16]);
    await holder.query('rollback');
    await first;
  } finally {
    vi.useRealTimers();
    holder.release(true);
  }
});

it('leaves half of what waits to a second group where that is much, so that one is decided while the other commits', async () => {
  const { it: appends, sent } = appender();
  const many = Array.from({ length: 120 }, (_, n) => request({ id: idIn(n % 6, `half-${n}`) }));
  expect(outcomesOf(await Promise.all(many.map((one) => appends.append(one))))).toEqual(many.map(() => 'appended'));
  expect(sent.map(commandsOf)).toEqual([60, 60]);
});

it('takes a group apart when the database refuses the data of one command', async () => {
  const { it: appends } = appender();
  const bad = { type: 'counter.added', value: Buffer.from('{}'), headers: {}, storedHeaders: 'not json' };
  const settled = await Promise.allSettled([
    ...Array.from({ length: 5 }, (_, n) => appends.append(request({ id: `good-${n}` }))),
    appends.append(request({ id: 'bad', events: [bad] })),
  ]);
  expect(settled.map(({ status }) => status)).toEqual([
    'fulfilled',
    'fulfilled',
    'fulfilled',
    'fulfilled',
    'fulfilled',
    'rejected',
  ]);
  expect(settled[5]).toMatchObject({ reason: { code: '22P02' } });
});

it('fails retriable on a partition that is held, while the others commit', async () => {
  const { it: appends } = appender();
  const held = request({ id: idIn(3, 'held') });
  const free = [1, 2, 4].map((partition) => request({ id: idIn(partition, 'free') }));
  const holder = await side.database.connect();
  await holder.query('begin');
  await holder.query('select lock_partitions(array[$1::int], array[3])', [held.topicId]);
  let failed = false;
  const stuck = appends.append(held).catch((error: unknown) => {
    failed = true;
    return error;
  });
  // In one group with the stuck one first, then in groups of their own: neither waits for the held partition to be given up.
  expect(outcomesOf(await Promise.all(free.map((one) => appends.append(one))))).toEqual(['appended', 'appended', 'appended']);
  expect(
    outcomesOf(await Promise.all(free.map(({ key }) => appends.append(request({ id: key, expectedVersion: 1 }))))),
  ).toEqual(['appended', 'appended', 'appended']);
  expect(failed).toBe(false);
  expect(await stuck).toBeInstanceOf(RetriableError);
  await holder.query('rollback');
  holder.release();
  expect(await appends.append(request({ id: held.key, commandId: held.commandId }))).toMatchObject({ outcome: 'appended' });
});

it('tries again when the server chose it to break a deadlock', async () => {
  await side.database.query(
    `do $$ begin execute format('alter database %I set deadlock_timeout = ''10ms''', current_database()); end $$`,
  );
  const hasty = new Database({ url: side.url });
  const { it: appends, failed } = appender({}, hasty);
  const [first, second] = [await side.database.connect(), await side.database.connect()];
  const { topicId } = request({ id: 'any' });
  const { rows } = await side.database.query<{ partition: number; key: string }>(
    'select p as partition, partition_lock($1, p)::text as key from generate_series(0, 2) p order by partition_lock($1, p)',
    [topicId],
  );
  const [low, middle, high] = rows.map(({ key }) => key);
  const take = 'select pg_advisory_xact_lock($1)';
  // A waiter looks for deadlocks once, soon after it begins to wait. So that the append is the one who finds it, the other
  // already waits for the lowest lock when the append comes to the highest. On a machine that is too busy the bound on lock
  // waits comes first: once more, then.
  for (let round = 0; !failed.includes('40P01'); round += 1) {
    await first.query('begin');
    await first.query(take, [middle]);
    await second.query('begin');
    await second.query(`set local deadlock_timeout = '60s'`);
    await second.query(take, [high]);
    const appended = Promise.all(
      rows.map(({ partition }) => appends.append(request({ id: idIn(partition, `dead-${round}`) }))),
    );
    await untilWaiting(1);
    const blocked = second.query(take, [low]);
    await untilWaiting(2);
    await first.query('rollback');
    await blocked;
    await second.query('rollback');
    expect(outcomesOf(await appended)).toEqual(['appended', 'appended', 'appended']);
  }
  first.release();
  second.release();
  await hasty.stop();
});

it('leaves a log without contradictions', async () => {
  expect(await side.contradictions()).toEqual([]);
});

/** Waits until so many wait for locks of this database; or nobody at all, because the bound on waits came first. */
async function untilWaiting(count: number): Promise<void> {
  for (let looks = 0; looks < 200; looks += 1) {
    const { rows } = await side.database.query<{ waiting: number }>(
      `select count(*) as waiting from pg_locks l join pg_database d on d.oid = l.database
       where d.datname = current_database() and l.locktype = 'advisory' and not l.granted`,
    );
    if ((rows[0]?.waiting ?? 0) >= count) return;
  }
}
