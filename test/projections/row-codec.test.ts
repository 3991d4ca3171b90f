import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KappaError } from '../../src/kernel/errors.js';
import { createBuildTable } from '../../src/modules/projections/build-table.js';
import type { Row } from '../../src/modules/projections/projection.js';
import { createRowCodec } from '../../src/modules/projections/row-codec.js';
import type { ColumnDefinition, TableDefinition } from '../../src/modules/projections/table.js';
import { canonicalNumeric } from '../../src/modules/projections/values/numeric.js';
import { freshDatabase, type FreshDatabase } from './fresh-database.js';

function column(
  name: string,
  type: string,
  value: ColumnDefinition['value'],
  more: Partial<ColumnDefinition> = {},
): ColumnDefinition {
  return { property: name, name, type, value, nullable: true, isKey: false, default: null, oneOf: null, ...more };
}

const table: TableDefinition = {
  columns: [
    column('id', 'text', 'string', { isKey: true, nullable: false }),
    column('day', 'date', 'string', { isKey: true, nullable: false, name: 'the "day"' }),
    column('title', 'character varying(5)', 'string'),
    column('paid', 'numeric(12,2)', 'string'),
    column('rate', 'numeric', 'string'),
    column('big', 'bigint', 'bigint'),
    column('cents', 'bigint', 'string'),
    column('small', 'smallint', 'number'),
    column('whole', 'integer', 'number'),
    column('ratio', 'double precision', 'number'),
    column('open', 'boolean', 'boolean'),
    column('clock', 'time without time zone', 'string'),
    column('local', 'timestamp without time zone', 'string'),
    column('at', 'timestamp with time zone', 'string'),
    column('seen', 'timestamp with time zone', 'date'),
    column('token', 'uuid', 'string'),
    column('facts', 'jsonb', 'json'),
    column('raw', 'bytea', 'bytes'),
    column('mood', 'text', 'string', { oneOf: ['calm', 'wild "one"'] }),
    column('tags', 'text[]', 'array'),
    column('counts', 'integer[]', 'array'),
    column('sums', 'numeric(9,3)[]', 'array'),
    column('flags', 'boolean[]', 'array'),
    column('times', 'timestamp with time zone[]', 'array'),
  ],
  key: ['id', 'day'],
  indexes: [],
};

const nullable = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(arbitrary, { freq: 8 });
const digitsOf = (min: number, max: number): fc.Arbitrary<string> =>
  fc.array(fc.constantFrom(...'0123456789'), { minLength: min, maxLength: max }).map((digits) => digits.join(''));
const decimal = (whole: number, scale: number): fc.Arbitrary<string> =>
  fc
    .tuple(fc.constantFrom('', '-', '+'), digitsOf(1, whole), digitsOf(0, scale), fc.constantFrom('', '0', '000'))
    .map(
      ([sign, before, after, zeros]) =>
        `${sign}00${before}${after.length === scale || after !== '' ? `.${after}${after.length === scale ? zeros : ''}` : ''}`,
    );
/** Text that PostgreSQL can store, with what COPY and array literals must escape. */
const text = fc
  .string({
    unit: fc.oneof(
      fc.constantFrom('\\', '"', "'", '\t', '\n', '\r', '{', '}', ',', ' ', '', '\\N', 'NULL'),
      fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
    ),
  })
  .filter((one) => !one.includes('\0') && one.isWellFormed());
const year = fc.integer({ min: 2, max: 9998 });
const two = (min: number, max: number): fc.Arbitrary<string> => fc.integer({ min, max }).map((n) => String(n).padStart(2, '0'));
const day = fc.tuple(year, two(1, 12), two(1, 28)).map(([y, m, d]) => `${String(y).padStart(4, '0')}-${m}-${d}`);
const clock = fc
  .tuple(two(0, 23), two(0, 59), fc.option(two(0, 59), { nil: '' }), digitsOf(0, 6))
  .map(([h, m, s, fraction]) => `${h}:${m}${s === '' ? '' : `:${s}${fraction === '' ? '' : `.${fraction}`}`}`);
const zone = fc.oneof(
  fc.constantFrom('Z', 'z', '+00:00', '-00'),
  fc
    .tuple(fc.constantFrom('+', '-'), two(0, 15), fc.constantFrom('', ':'), fc.option(two(0, 59), { nil: null }))
    .map(([sign, h, colon, m]) => `${sign}${h}${m === null ? '' : colon + m}`),
);
const moment = fc.tuple(day, fc.constantFrom('T', ' '), clock, zone).map((parts) => parts.join(''));
const json = fc
  .jsonValue({ maxDepth: 4, stringUnit: 'grapheme' })
  .filter((value) => !JSON.stringify(value).includes('\\u0000'));

const rows: fc.Arbitrary<Row> = fc.record({
  id: text,
  day,
  title: nullable(
    fc.string({ unit: 'grapheme', maxLength: 5 }).filter((one) => Array.from(one).length <= 5 && !one.includes('\0')),
  ),
  paid: nullable(decimal(8, 2)),
  rate: nullable(decimal(30, 20)),
  big: nullable(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
  cents: nullable(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String)),
  small: nullable(fc.integer({ min: -32768, max: 32767 })),
  whole: nullable(fc.integer()),
  ratio: nullable(fc.double({ noNaN: true, noDefaultInfinity: true })),
  open: nullable(fc.boolean()),
  clock: nullable(clock),
  local: nullable(fc.tuple(day, fc.constantFrom('T', ' '), clock).map((parts) => parts.join(''))),
  at: nullable(moment),
  seen: nullable(
    fc.date({ min: new Date('0002-01-01T00:00:00Z'), max: new Date('9998-12-31T00:00:00Z'), noInvalidDate: true }),
  ),
  token: nullable(fc.uuid().map((one) => one.toUpperCase())),
  facts: nullable(json),
  raw: nullable(fc.uint8Array()),
  mood: nullable(fc.constantFrom('calm', 'wild "one"')),
  tags: nullable(fc.array(nullable(text))),
  counts: nullable(fc.array(nullable(fc.integer()))),
  sums: nullable(fc.array(nullable(decimal(4, 3)))),
  flags: nullable(fc.array(nullable(fc.boolean()))),
  times: nullable(fc.array(nullable(moment))),
});

const RUNS = Number(process.env['PROPERTY_RUNS'] ?? 60);

describe('a row codec', () => {
  let fresh: FreshDatabase;
  beforeAll(async () => {
    fresh = await freshDatabase();
  });
  afterAll(() => fresh.stop());

  it('keeps in memory exactly what comes back from the table, by upsert and by COPY', async () => {
    const built = createBuildTable('kappa', 'every_type', table);
    const { codec } = built;
    await built.create(fresh.database);
    await built.createKey(fresh.database);
    await fc.assert(
      fc.asyncProperty(fc.array(rows, { minLength: 1, maxLength: 20 }), fc.boolean(), async (given, byCopy) => {
        const kept = new Map(given.map((row) => codec.canonical(row)).map((row) => [codec.keyText(row), row]));
        await fresh.database.transaction(async (on) => {
          await on.query(`truncate ${built.qualifiedName}`);
          if (byCopy) await built.copyIn(on, kept.values());
          else await built.upsert(on, [...kept.values()]);
          expect(await built.readKeys(on, [...kept.values()])).toEqual(kept);
        });
        for (const row of kept.values()) {
          expect(codec.canonical(row)).toEqual(row);
          expect(codec.decode(codec.encode(row))).toEqual(row);
          // toEqual does not see the order of names, which a fold that prints its row would.
          expect(JSON.stringify(codec.decode(codec.encode(row))['facts'])).toBe(JSON.stringify(row['facts']));
          expect(codec.bytesOf(row)).toBeGreaterThan(100);
        }
      }),
      { numRuns: RUNS },
    );
  }, 120_000);

  it('puts the names of jsonb in the order in which PostgreSQL gives them back', async () => {
    const codec = createRowCodec({ columns: [column('facts', 'jsonb', 'json')], key: [], indexes: [] });
    await fc.assert(
      fc.asyncProperty(
        fc.object({
          maxDepth: 2,
          key: fc.string({ unit: 'grapheme', maxLength: 4 }).filter((key) => !key.includes('\0')),
          values: [fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true })],
        }),
        async (facts) => {
          const kept = codec.canonical({ facts })['facts'];
          const {
            rows: [back],
          } = await fresh.database.query<{ facts: string }>('select $1::jsonb::text as facts', [JSON.stringify(facts)]);
          expect(JSON.stringify(kept)).toBe(JSON.stringify(JSON.parse(back?.facts ?? '')));
        },
      ),
      { numRuns: RUNS },
    );
  });

  it('pads and normalises decimals as PostgreSQL does, and refuses what would be rounded', async () => {
    await fc.assert(
      fc.asyncProperty(decimal(5, 5), async (given) => {
        const {
          rows: [back],
        } = await fresh.database.query<{ plain: string; scaled: string }>(
          'select $1::numeric::text as plain, $1::numeric(10,5)::text as scaled',
          [given],
        );
        expect(canonicalNumeric(given, null, null)).toBe(back?.plain);
        expect(canonicalNumeric(given, 10, 5)).toBe(back?.scaled);
      }),
      { numRuns: RUNS * 2 },
    );
    for (const refused of ['', '.', '-', '1e5', '1,5', ' 1', '1 ', 'NaN', '--1', '1.2.3', '0x1f'])
      expect(canonicalNumeric(refused, null, null)).toBeUndefined();
    expect(canonicalNumeric('1.005', 10, 2)).toBeUndefined();
    expect(canonicalNumeric('1.100', 10, 2)).toBe('1.10');
    expect(canonicalNumeric('123', 4, 2)).toBeUndefined();
    expect(canonicalNumeric('-0.00', 4, 2)).toBe('0.00');
  });

  const codec = createRowCodec(table);
  const whole: Row = { ...Object.fromEntries(table.columns.map((one) => [one.property, null])), id: 'a', day: '2000-01-01' };

  it.each([
    ['a float for money', { paid: 62.59 }, 'paid'],
    ['a digit that would be rounded away', { paid: '62.595' }, 'paid'],
    ['a number for a bigint', { cents: 1 }, 'cents'],
    ['a bigint beyond 64 bits', { big: 2n ** 63n }, 'big'],
    ['a fraction in an integer', { whole: 1.5 }, 'whole'],
    ['NaN', { ratio: Number.NaN }, 'ratio'],
    ['a text that is too long', { title: 'abcdef' }, 'title'],
    ['a NUL', { title: 'a\0' }, 'title'],
    ['half a surrogate pair', { title: '\ud800' }, 'title'],
    ['a time without offset', { at: '2000-01-01T00:00:00' }, 'at'],
    ['an offset in a local time', { local: '2000-01-01T00:00:00Z' }, 'local'],
    ['nanoseconds', { at: '2000-01-01T00:00:00.1234567Z' }, 'at'],
    ['a day that is none', { local: '2001-02-29T00:00:00' }, 'local'],
    ['an invalid Date', { seen: new Date(Number.NaN) }, 'seen'],
    ['an unknown enum value', { mood: 'wild' }, 'mood'],
    ['a NUL inside jsonb', { facts: { a: ['\0'] } }, 'facts'],
    ['a Map inside jsonb', { facts: { a: new Map() } }, 'facts'],
    ['a wrong item of an array', { counts: [1, 'two'] }, 'counts'],
    ['a missing key', { id: undefined }, 'id'],
    ['an unknown column', { colour: 'red' }, 'colour'],
  ])('refuses %s and names the column', (_, change, name) => {
    const refusal = (() => {
      try {
        return codec.canonical({ ...whole, ...change });
      } catch (error) {
        return error;
      }
    })();
    expect(refusal).toBeInstanceOf(KappaError);
    expect(refusal).toMatchObject({ code: 'KAPPA_BAD_ROW', facts: { column: name } });
  });

  it('gives equal keys equal texts, whatever form they were written in', () => {
    const keys = createRowCodec({
      columns: [
        column('a', 'numeric(6,2)', 'string', { isKey: true }),
        column('b', 'timestamp with time zone', 'string', { isKey: true }),
        column('c', 'uuid', 'string', { isKey: true }),
      ],
      key: ['a', 'b', 'c'],
      indexes: [],
    });
    const uuid = '0d7e4d0c-3d4b-4a8e-9b1f-0a1b2c3d4e5f';
    expect(keys.keyText({ a: '1.5', b: '2000-01-01T01:00:00+01:00', c: uuid.toUpperCase() })).toBe(
      keys.keyText({ a: '01.50', b: '2000-01-01 00:00Z', c: uuid }),
    );
    expect(() => keys.keyText({ a: '1', b: null, c: uuid })).toThrow(/KAPPA_BAD_KEY: column b/);
  });

  it('makes rows that share nothing, each with every column', () => {
    const codec = createRowCodec(table);
    const [one, other] = ['one', 'other'].map((id) => codec.canonical({ day: '2026-11-29', big: 2n, id })) as [Row, Row];
    expect([one['id'], other['id']]).toEqual(['one', 'other']);
    expect(Object.keys(one)).toEqual(table.columns.map(({ property }) => property));
  });
});
