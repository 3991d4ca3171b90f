import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Database } from '../../src/database/database.js';
import { LATER, appendStatements, parseOutcomes } from '../../src/modules/aggregates/append-statement.js';
import type { AppendRequest } from '../../src/modules/aggregates/append-request.js';
import { idIn, requests, type Given } from './support/append-requests.js';
import { WriteSide } from './support/write-side.js';

let side: WriteSide;
let database: Database;
let request: (given: Given) => AppendRequest;

beforeAll(async () => {
  side = await WriteSide.start();
  database = side.database;
  await side.executor();
  request = await requests(database);
});
afterAll(() => side.stop());

const statements = appendStatements('kappa');

async function group(...given: readonly AppendRequest[]): Promise<ReturnType<typeof parseOutcomes>> {
  const { rows } = await database.query<{ outcomes: string }>(statements.group(given, null));
  return parseOutcomes(given, rows[0]?.outcomes ?? '');
}

async function judged(given: AppendRequest): Promise<ReturnType<typeof parseOutcomes>[number] | undefined> {
  const { rows } = await database.query<{ outcomes: string }>(statements.judged([given], null));
  return parseOutcomes([given], rows[0]?.outcomes ?? '')[0];
}

async function alone(given: AppendRequest): Promise<ReturnType<typeof parseOutcomes>[number]> {
  const { rows } = await database.query<{ outcomes: string }>(statements.one(given));
  const [outcome] = parseOutcomes([given], rows[0]?.outcomes ?? '');
  if (!outcome) throw new Error('no outcome');
  return outcome;
}

/** What must be true of the function for one command and of those for a group, which are given one command here. */
describe.each([
  ['alone', alone],
  ['in a group', async (given: AppendRequest) => (await group(given))[0]],
  ['judged in a group', judged],
])('a command %s', (form, append) => {
  const id = (name: string): string => `${form.replaceAll(' ', '-')}-${name}`;

  it('appends its events with versions and offsets in order', async () => {
    const first = await append(request({ id: id('a'), count: 3 }));
    const second = await append(request({ id: id('a'), count: 2, expectedVersion: 3 }));
    const { rows } = await database.query<{ version: number; offset: number; key: string; event_type: string }>(
      'select version, "offset", key, event_type from log_records where stream = $1 order by "offset"',
      [`/counter/${id('a')}`],
    );
    expect(rows.map(({ version }) => version)).toEqual([1, 2, 3, 4, 5]);
    expect(new Set(rows.map(({ key }) => key))).toEqual(new Set([id('a')]));
    expect(new Set(rows.map(({ event_type }) => event_type))).toEqual(new Set(['counter.added']));
    expect([first, second]).toMatchObject([
      { outcome: 'appended', nextOffset: (rows[2]?.offset ?? 0) + 1 },
      { outcome: 'appended', nextOffset: (rows[4]?.offset ?? 0) + 1 },
    ]);
  });

  it('conflicts when the stream is elsewhere, whether behind or ahead, and leaves no hole', async () => {
    await append(request({ id: id('b') }));
    expect(await append(request({ id: id('b'), expectedVersion: 7 }))).toEqual({ outcome: 'conflict', head: 1 });
    expect(await append(request({ id: id('b'), expectedVersion: 0 }))).toEqual({ outcome: 'conflict', head: 1 });
    expect(await append(request({ id: id('b'), expectedVersion: 1, count: 0 }))).toMatchObject({ outcome: 'appended' });
    expect(await side.contradictions()).toEqual([]);
  });

  it('meets its own id before it meets its own event as a conflict', async () => {
    const given = request({ id: id('c'), count: 2 });
    const first = await append(given);
    await append(request({ id: id('c'), expectedVersion: 2 }));
    const again = await append(given);
    expect(again).toMatchObject({ outcome: 'repeated', firstVersion: 1, lastVersion: 2 });
    expect(again).toMatchObject(Object.fromEntries(Object.entries(first as object).filter(([name]) => name !== 'outcome')));
    expect(await append({ ...given, contentHash: 'another' })).toEqual({ outcome: 'reused' });
  });

  it('is remembered when it emits nothing', async () => {
    const given = request({ id: id('d'), count: 0 });
    expect(await append(given)).toMatchObject({ outcome: 'appended' });
    expect(await append(given)).toMatchObject({ outcome: 'repeated', firstVersion: 1, lastVersion: 0 });
  });

  it('goes on from the head that outlived its records', async () => {
    await database.query('insert into stream_heads (stream, version) values ($1, 41)', [`/counter/${id('e')}`]);
    expect(await append(request({ id: id('e') }))).toEqual({ outcome: 'conflict', head: 41 });
    expect(await append(request({ id: id('e'), expectedVersion: 41 }))).toMatchObject({ outcome: 'appended' });
    await database.query('delete from log_records where stream = $1', [`/counter/${id('e')}`]);
  });

  it('claims a value, is refused one of another stream, and gives back what it no longer holds', async () => {
    const claim = (value: string | null) => ({ claims: [{ name: 'n', value }] });
    const value = id('value');
    expect(await append(request({ id: id('f'), ...claim(value) }))).toMatchObject({ outcome: 'appended' });
    expect(await append(request({ id: id('g'), ...claim(value) }))).toEqual({ outcome: 'taken', claim: { name: 'n', value } });
    expect(await append(request({ id: id('g'), ...claim(value), tenant: 'other' }))).toMatchObject({ outcome: 'appended' });
    expect(await append(request({ id: id('f'), ...claim(value), expectedVersion: 1 }))).toMatchObject({ outcome: 'appended' });
    expect(await append(request({ id: id('f'), ...claim(id('next')), expectedVersion: 2 }))).toMatchObject({
      outcome: 'appended',
    });
    expect(await append(request({ id: id('g'), ...claim(value) }))).toMatchObject({ outcome: 'appended' });
    expect(await append(request({ id: id('g'), ...claim(null), expectedVersion: 1 }))).toMatchObject({ outcome: 'appended' });
    const { rows } = await database.query('select stream, value from unique_claims where tenant = $1 and stream = any ($2)', [
      '',
      [`/counter/${id('f')}`, `/counter/${id('g')}`],
    ]);
    expect(rows).toEqual([{ stream: `/counter/${id('f')}`, value: id('next') }]);
  });

  it('never lets the time of a partition run backwards', async () => {
    const partition = 5 + ['alone', 'in a group', 'judged in a group'].indexOf(form);
    const [first, second] = [idIn(partition, 'time'), idIn(partition, 'later')];
    await append(request({ id: first }));
    await database.query(`update log_records set recorded_at = now() + interval '1 hour' where stream = $1`, [
      `/counter/${first}`,
    ]);
    await append(request({ id: second }));
    expect(await side.contradictions()).toEqual([]);
    await database.query('truncate log_records');
  });
});

describe('a group of commands', () => {
  it('loses the commands that conflict and no other, and leaves no hole for them', async () => {
    const partition = 2;
    const [one, two, three, four] = ['one', 'two', 'three', 'four'].map((name) => idIn(partition, name)) as [
      string,
      string,
      string,
      string,
    ];
    await group(request({ id: two }));
    const outcomes = await group(
      request({ id: one, count: 2 }),
      request({ id: two, expectedVersion: 7, count: 3 }),
      request({ id: three }),
      request({ id: two, expectedVersion: 1 }),
      request({ id: four, count: 2 }),
    );
    expect(outcomes).toMatchObject([
      { outcome: 'appended', nextOffset: 3 },
      { outcome: 'conflict', head: 1 },
      { outcome: 'appended', nextOffset: 4 },
      {},
      { outcome: 'appended', nextOffset: 6 },
    ]);
    expect(outcomes[3]).toBe(LATER);
    const { rows } = await database.query<{ offset: number }>(
      'select "offset" from log_records where partition = $1 order by 1',
      [partition],
    );
    expect(rows.map(({ offset }) => offset)).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('spans partitions and tells each command where it stands', async () => {
    const given = Array.from({ length: 100 }, (_, n) => request({ id: `spread-${n}`, count: n % 4 }));
    const outcomes = await group(...given);
    expect(outcomes.every((outcome) => outcome !== LATER && outcome.outcome === 'appended')).toBe(true);
    const { rows } = await database.query<{ stream: string; last: number; count: number }>(
      `select stream, max("offset") as last, count(*) as count from log_records where stream like '/counter/spread-%' group by stream`,
    );
    for (const { stream, last, count } of rows) {
      const at = given.findIndex((one) => one.stream === stream);
      expect(outcomes[at]).toMatchObject({ nextOffset: last + 1 });
      expect(count).toBe(given[at]?.events.length);
    }
    expect(rows).toHaveLength(75);
    expect(await side.contradictions()).toEqual([]);
  });

  it('judges the first of several commands of one stream, one id or one value, and sends the others later', async () => {
    const first = request({ id: 'first' });
    const claims = [{ name: 'n', value: 'wanted' }];
    const outcomes = await group(
      first,
      first,
      request({ id: 'first', expectedVersion: 1 }),
      request({ id: 'p', claims }),
      request({ id: 'q', claims }),
    );
    expect(outcomes.map((outcome) => (outcome === LATER ? 'later' : outcome.outcome))).toEqual([
      'appended',
      'later',
      'later',
      'appended',
      'later',
    ]);
    expect(await group(first)).toMatchObject([{ outcome: 'repeated' }]);
    expect(await group(request({ id: 'q', claims }))).toEqual([{ outcome: 'taken', claim: claims[0] }]);
  });

  it('appends several commands of one stream that were decided one on another', async () => {
    const outcomes = await group(
      request({ id: 'chain', count: 2 }),
      request({ id: 'beside' }),
      request({ id: 'chain', expectedVersion: 2, count: 0, events: [] }),
      request({ id: 'chain', expectedVersion: 2, count: 3 }),
    );
    expect(outcomes.map((outcome) => (outcome === LATER ? 'later' : outcome.outcome))).toEqual(
      Array.from({ length: 4 }, () => 'appended'),
    );
    expect(await alone(request({ id: 'chain', expectedVersion: 5 }))).toMatchObject({ outcome: 'appended' });
    expect(await side.contradictions()).toEqual([]);
  });

  it('judges none of a stream that comes after one which fails', async () => {
    await group(request({ id: 'broken' }), request({ id: 'broken-holder', claims: [{ name: 'chain', value: 'taken' }] }));
    const taken = { claims: [{ name: 'chain', value: 'taken' }] };
    const outcomes = await group(
      request({ id: 'broken', expectedVersion: 1 }),
      request({ id: 'broken', expectedVersion: 7 }),
      request({ id: 'broken', expectedVersion: 2 }),
      request({ id: 'refused', ...taken }),
      request({ id: 'refused', expectedVersion: 1 }),
    );
    expect(outcomes.map((outcome) => (outcome === LATER ? 'later' : outcome.outcome))).toEqual([
      'appended',
      'conflict',
      'later',
      'taken',
      'later',
    ]);
  });

  it('tells commands of a stream that are sent again what became of each', async () => {
    const chain = [request({ id: 'again' }), request({ id: 'again', expectedVersion: 1 })];
    await group(...chain);
    expect(await group(...chain)).toMatchObject([{ outcome: 'repeated' }, { outcome: 'repeated', firstVersion: 2 }]);
  });

  it('leaves a second command of a stream that claims a value to the next group', async () => {
    const claims = (value: string) => ({ claims: [{ name: 'renamed', value }] });
    const second = request({ id: 'renamed', expectedVersion: 1, ...claims('second') });
    const outcomes = await group(request({ id: 'renamed', ...claims('first') }), second);
    expect(outcomes).toMatchObject([{ outcome: 'appended' }, LATER]);
    await group(second);
    expect(await group(request({ id: 'elsewhere', ...claims('first') }))).toMatchObject([{ outcome: 'appended' }]);
  });

  it('drops a command whose value is taken, and keeps the claims of its neighbours', async () => {
    const claim = (name: string, value: string) => ({
      claims: [
        { name, value },
        { name: 'extra', value: `${value}-extra` },
      ],
    });
    await group(request({ id: 'holder', ...claim('mail', 'taken') }));
    const outcomes = await group(
      request({ id: 'left', ...claim('mail', 'left') }),
      request({ id: 'loser', ...claim('mail', 'taken') }),
      request({ id: 'right', ...claim('mail', 'right') }),
    );
    expect(outcomes).toMatchObject([
      { outcome: 'appended' },
      { outcome: 'taken', claim: { name: 'mail', value: 'taken' } },
      { outcome: 'appended' },
    ]);
    const { rows } = await database.query<{ value: string }>(
      `select value from unique_claims where name = 'mail' order by value`,
    );
    expect(rows.map(({ value }) => value)).toEqual(['left', 'right', 'taken']);
  });
});

it('is refused in a transaction that does not see what was committed before its lock', async () => {
  const connection = await database.connect();
  await connection.query('begin isolation level repeatable read');
  await expect(connection.query(statements.one(request({ id: 'isolated' })))).rejects.toMatchObject({ code: 'KA001' });
  await connection.query('rollback');
  connection.release();
});

it('has unique versions as the second line of defence', async () => {
  await alone(request({ id: 'second-line' }));
  await expect(
    database.query(
      `insert into log_records ("offset", recorded_at, topic_id, partition, version, headers, stream) select 1000000, now(), topic_id, partition, version, '{}', stream from log_records where stream = $1`,
      ['/counter/second-line'],
    ),
  ).rejects.toMatchObject({ code: '23505' });
});
