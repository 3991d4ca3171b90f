import { sqlState } from '../../../database/database-errors.js';
import type { Database, Queryable } from '../../../database/database.js';
import { qualified, quoteIdentifier } from '../../../database/identifiers.js';
import { KappaError } from '../../../kernel/errors.js';
import { buildLabel, type Build } from '../build.js';
import type { VerifyResult } from '../operations.js';

export type TableDifference = Pick<VerifyResult, 'rowsLive' | 'rowsCandidate' | 'added' | 'removed' | 'changed' | 'samples'>;

export interface CompareOptions {
  /** Differing rows to show at most. */
  readonly samples: number;
  /** Rows the first range has; later ones take what fits a short snapshot. Default 20,000. */
  readonly rangeRows?: number;
  readonly signal?: AbortSignal;
}

/** Rows a range begins with; it grows and shrinks so that a range takes a fraction of the longest snapshot we allow ourselves. */
const FIRST_RANGE_ROWS = 20_000;
const SMALLEST_RANGE_ROWS = 100;
const LARGEST_RANGE_ROWS = 500_000;
const RANGE_MS = 700;
const LONGEST_SNAPSHOT_MS = 5_000;

type Key = readonly string[];

/**
 * Compares two tables by key, in ranges that hold no snapshot for long: rows of one only, and rows that differ in a column that
 * both have. The caller sees to it that neither changes meanwhile.
 * @throws KAPPA_KEYS_DIFFER when the versions have other keys
 */
export async function compareTables(
  database: Database,
  live: Build,
  candidate: Build,
  options: CompareOptions,
): Promise<TableDifference> {
  const sql = compareStatements(database.schema, live, candidate);
  const total = { rowsLive: 0, rowsCandidate: 0, added: 0, removed: 0, changed: 0 };
  const samples: VerifyResult['samples'][number][] = [];
  let rows = options.rangeRows ?? FIRST_RANGE_ROWS;
  for (let from: Key | null = null; ;) {
    options.signal?.throwIfAborted();
    const started = performance.now();
    const range = await inShortSnapshot(database, (on) =>
      compareRange(on, sql, from, rows, options.samples - samples.length),
    ).catch((error: unknown) => {
      if (sqlState(error) !== '57014' || rows <= SMALLEST_RANGE_ROWS) throw error;
      return null;
    });
    const tookMs = performance.now() - started;
    if (range !== null) {
      for (const name of Object.keys(total) as (keyof typeof total)[]) total[name] += range.counts[name];
      samples.push(...range.samples);
      if (range.end === null) return { ...total, samples };
      from = range.end;
    }
    rows = nextRange(rows, RANGE_MS / tookMs);
  }
}

/** At most twice and at least a quarter of the last one. */
function nextRange(rows: number, factor: number): number {
  const wanted = Math.round(rows * Math.min(2, Math.max(0.25, factor)));
  return Math.min(LARGEST_RANGE_ROWS, Math.max(Math.min(SMALLEST_RANGE_ROWS, rows), wanted));
}

async function inShortSnapshot<T>(database: Database, work: (on: Queryable) => Promise<T>): Promise<T> {
  return database.transaction(async (on) => {
    await on.query(`set local statement_timeout = ${LONGEST_SNAPSHOT_MS}`);
    return work(on);
  });
}

interface CompareStatements {
  readonly width: number;
  end(from: Key | null): string;
  counts(from: Key | null, end: Key | null): string;
  samples(from: Key | null, end: Key | null): string;
}

interface RangeResult {
  readonly counts: Omit<TableDifference, 'samples'>;
  readonly samples: VerifyResult['samples'];
  /** The last key of the range; null when there is nothing after it. */
  readonly end: Key | null;
}

async function compareRange(
  on: Queryable,
  sql: CompareStatements,
  from: Key | null,
  rows: number,
  samples: number,
): Promise<RangeResult> {
  const { rows: ends } = await on.query<Record<string, string>>(sql.end(from), [...(from ?? []), rows - 1]);
  const [found] = ends;
  const end = found ? Array.from({ length: sql.width }, (_, at) => found[`k${at}`] ?? '') : null;
  const bounds = [...(from ?? []), ...(end ?? [])];
  const { rows: counted } = await on.query<Omit<TableDifference, 'samples'>>(sql.counts(from, end), bounds);
  const counts = counted[0] as Omit<TableDifference, 'samples'>;
  if (samples <= 0 || counts.added + counts.removed + counts.changed === 0) return { counts, samples: [], end };
  const { rows: shown } = await on.query<VerifyResult['samples'][number]>(sql.samples(from, end), [...bounds, samples]);
  return { counts, samples: shown, end };
}

function compareStatements(schema: string, live: Build, candidate: Build): CompareStatements {
  const keys = sharedKey(live, candidate);
  const others = new Map(candidate.shape.columns.map((column) => [column.name, column.type]));
  const shared = live.shape.columns.filter(
    (column) => others.has(column.name) && !keys.some((key) => key.name === column.name),
  );
  const name = quoteIdentifier;
  const keyList = keys.map((key) => name(key.name)).join(', ');
  const onKeys = keys.map((key) => `l.${name(key.name)} = c.${name(key.name)}`).join(' and ');
  // A column whose type changed is compared as text.
  const value = (side: 'l' | 'c', column: { readonly name: string; readonly type: string }): string =>
    `${side}.${name(column.name)}${others.get(column.name) === column.type ? '' : '::text'}`;
  const differs =
    shared.map((column) => `${value('l', column)} is distinct from ${value('c', column)}`).join(' or ') || 'false';
  const tuple = (first: number): string => `(${keys.map((key, at) => `$${first + at}::${key.type}`).join(', ')})`;
  const range = (from: Key | null, end: Key | null): string => {
    const after = from === null ? [] : [`(${keyList}) > ${tuple(1)}`];
    const upTo = end === null ? [] : [`(${keyList}) <= ${tuple(1 + (from?.length ?? 0))}`];
    return [...after, ...upTo].join(' and ') || 'true';
  };
  const tables = { l: qualified(schema, live.tableName), c: qualified(schema, candidate.tableName) };
  const joined = (from: Key | null, end: Key | null): string =>
    `(select *, true as "is there" from ${tables.l} where ${range(from, end)}) l full join (select *, true as "is there" from ${tables.c} where ${range(from, end)}) c on ${onKeys}`;
  const different = `l."is there" is null or c."is there" is null or ${differs}`;
  const texts = (side: 'l' | 'c'): string =>
    `case when ${side}."is there" then (select jsonb_object_agg(e.key, e.value) from jsonb_each_text(to_jsonb(${side}) - 'is there') e) end`;
  return {
    width: keys.length,
    end: (from) => {
      const nth = (table: string): string =>
        `(select ${keyList} from ${table} where ${range(from, null)} order by ${keyList} offset $${1 + (from?.length ?? 0)} limit 1)`;
      return `select ${keys.map((key, at) => `${name(key.name)}::text as k${at}`).join(', ')} from (${nth(tables.l)} union all ${nth(tables.c)}) ends order by ${keyList} limit 1`;
    },
    counts: (from, end) => `
      select count(l."is there") as "rowsLive", count(c."is there") as "rowsCandidate",
        count(*) filter (where l."is there" is null) as added,
        count(*) filter (where c."is there" is null) as removed,
        count(*) filter (where l."is there" and c."is there" and (${differs})) as changed
      from ${joined(from, end)}`,
    samples: (from, end) => `
      select concat_ws(' / ', ${keys.map((key) => `coalesce(l.${name(key.name)}, c.${name(key.name)})::text`).join(', ')}) as key,
        ${texts('l')} as live, ${texts('c')} as candidate
      from ${joined(from, end)}
      where ${different}
      order by ${keys.map((key) => `coalesce(l.${name(key.name)}, c.${name(key.name)})`).join(', ')}
      limit $${1 + (from?.length ?? 0) + (end?.length ?? 0)}`,
  };
}

function sharedKey(live: Build, candidate: Build): readonly { readonly name: string; readonly type: string }[] {
  const keyOf = ({ shape }: Build) =>
    shape.key.map((key) => ({ name: key, type: shape.columns.find((column) => column.name === key)?.type ?? '' }));
  const [own, other] = [keyOf(live), keyOf(candidate)];
  const text = (key: typeof own): string => key.map(({ name, type }) => `${name} ${type}`).join(', ');
  if (text(own) === text(other)) return own;
  throw new KappaError(
    'KAPPA_KEYS_DIFFER',
    `${buildLabel(candidate)} has the key (${text(other)}), ${buildLabel(live)} has (${text(own)}): their rows cannot be compared`,
    {
      facts: { live: text(own), candidate: text(other) },
      nextStep: 'Compare totals over the two tables by a query of your own.',
    },
  );
}
