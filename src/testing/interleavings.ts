import { AssertionError } from 'node:assert';
import { isDeepStrictEqual } from 'node:util';
import type { LogRecord } from '../kernel/record.js';
import { projectionDefinition, type ProjectionDefinition, type Row } from '../modules/projections/projection.js';
import type { FoldPlan } from '../modules/projections/fold/fold-plan.js';
import { foldRecords, planOf } from './fold-events.js';
import { recordsOf, type PlainEvent, type RecordedEvent } from './recorded-events.js';

export interface InterleavingOptions {
  /** Orders that are tried. Default 100. */
  readonly runs?: number;
  /** The same seed gives the same orders. Default 1. */
  readonly seed?: number;
}

/**
 * Proves by trial that a shared projection does not depend on the order between partitions, which the log does not promise: folds
 * the given partitions, each in its own order, in many shuffled interleavings, which must all make the same rows.
 *
 * ```ts
 * interleavings(totalsV1, [[recorded('a', Paid({ cents: 5 }))], [recorded('b', Paid({ cents: 7 }))]]);
 * ```
 *
 * @throws AssertionError with two histories, made as short as they can be, and the rows in which they differ
 */
export function interleavings(
  projection: ProjectionDefinition | (new () => object),
  partitions: readonly (readonly (PlainEvent | RecordedEvent)[])[],
  options: InterleavingOptions = {},
): void {
  const { runs = 100, seed = 1 } = options;
  const plan = planOf(projectionDefinition(projection));
  const lanes = lanesOf(plan, partitions);
  const first = lanes.flat();
  const expected = foldRecords(plan, first);
  const random = seeded(seed);
  for (let run = 1; run <= runs; run++) {
    const order = interleave(lanes, random);
    if (!isDeepStrictEqual(foldRecords(plan, order), expected)) fail(plan, ...shortest(plan, first, order), run, seed);
  }
}

/** Events are numbered once, stream by stream, before they are shuffled. */
function lanesOf(
  plan: FoldPlan,
  partitions: readonly (readonly (PlainEvent | RecordedEvent)[])[],
): readonly (readonly LogRecord[])[] {
  const records = recordsOf(plan.definition, partitions.flat());
  let at = 0;
  return partitions.map((events) => records.slice(at, (at += events.length)));
}

function interleave(lanes: readonly (readonly LogRecord[])[], random: () => number): readonly LogRecord[] {
  const next = lanes.map(() => 0);
  const order: LogRecord[] = [];
  let left = lanes.reduce((sum, lane) => sum + lane.length, 0);
  for (; left > 0; left--) {
    // A lane is drawn by what it has left, so that every interleaving is equally likely.
    let draw = Math.floor(random() * left);
    const lane = lanes.findIndex((records, at) => (draw -= records.length - (next[at] ?? 0)) < 0);
    const record = lanes[lane]?.[next[lane] ?? 0];
    next[lane] = (next[lane] ?? 0) + 1;
    if (record) order.push(record);
  }
  return order;
}

/** Leaves out of both histories what makes no difference to their difference. */
function shortest(
  plan: FoldPlan,
  one: readonly LogRecord[],
  other: readonly LogRecord[],
): readonly [readonly LogRecord[], readonly LogRecord[]] {
  let [left, right] = [one, other];
  for (const record of one) {
    const [less, fewer] = [left.filter((each) => each !== record), right.filter((each) => each !== record)];
    if (differ(plan, less, fewer)) [left, right] = [less, fewer];
  }
  return [left, right];
}

/** A history that cannot be folded any more proves nothing. */
function differ(plan: FoldPlan, one: readonly LogRecord[], other: readonly LogRecord[]): boolean {
  try {
    return !isDeepStrictEqual(foldRecords(plan, one), foldRecords(plan, other));
  } catch {
    return false;
  }
}

function fail(plan: FoldPlan, one: readonly LogRecord[], other: readonly LogRecord[], run: number, seed: number): never {
  const [rows, others] = [foldRecords(plan, one), foldRecords(plan, other)];
  const keys = [...new Set([...rows.keys(), ...others.keys()])].filter(
    (key) => !isDeepStrictEqual(rows.get(key), others.get(key)),
  );
  const told = (history: readonly LogRecord[], found: ReadonlyMap<string, Row>): string =>
    [...history.map(describe), ...keys.map((key) => `  → ${show(found.get(key) ?? null)}`)].join('\n');
  throw new AssertionError({
    message:
      `${plan.label} depends on the order between partitions, which no log promises (run ${run}, seed ${seed}).\n\n` +
      `${told(one, rows)}\n\nbut\n\n${told(other, others)}\n\n` +
      'Make the fold commutative (sums, counts, largest, smallest, sets), or key its rows by the stream.',
    actual: keys.map((key) => others.get(key) ?? null),
    expected: keys.map((key) => rows.get(key) ?? null),
    stackStartFn: interleavings,
  });
}

function describe(record: LogRecord): string {
  return `  ${record.key}: ${record.headers['ce_type']} ${record.value === null ? '' : Buffer.from(record.value).toString('utf8')}`;
}

function show(row: Row | null): string {
  return row === null
    ? 'no row'
    : JSON.stringify(row, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value));
}

/** mulberry32 */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
