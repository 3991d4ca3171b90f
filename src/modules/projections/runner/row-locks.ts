import type { Queryable } from '../../../database/database.js';
import type { RowEntry } from '../fold/row-window.js';

/** Locks of rows share one space of advisory locks: this class, and build × buckets below it. */
const ROWS_CLASS = 0x726f7773;
const BUCKETS = 256;
/** Beyond this many buckets a batch takes the whole build: the server's lock table is finite (64 locks a connection by default). */
const MOST_BUCKETS = 32;

const LOCK_BUILD = `select pg_advisory_xact_lock($1, $2)`;
const LOCK_BUCKETS = `
  select pg_advisory_xact_lock_shared($1, $2), count(held.*)
    from (select pg_advisory_xact_lock($1, bucket) from unnest($3::int[]) bucket offset 0) held`;

/**
 * Makes the batch the only one that reads and writes these rows until its transaction ends. Needed where several partitions
 * touch one row; the rows are to be read in a later statement, whose snapshot then sees what the former holder committed.
 * Buckets are locked in ascending order, the build before them, so that batches queue and never deadlock.
 * Decision 0001 has the figures, and why it is not a lock on the rows themselves.
 */
export async function lockRows(on: Queryable, build: number, entries: readonly RowEntry[]): Promise<void> {
  const buckets = new Set<number>();
  for (const entry of entries) {
    buckets.add(bucketOf(entry.text));
    if (buckets.size > MOST_BUCKETS) return lockAllRows(on, build);
  }
  if (buckets.size === 0) return;
  const first = firstLock(build);
  await on.query(LOCK_BUCKETS, [ROWS_CLASS, first, [...buckets].sort((a, b) => a - b).map((bucket) => first + 1 + bucket)]);
}

/** As {@link lockRows}, for every row of the build. */
export async function lockAllRows(on: Queryable, build: number): Promise<void> {
  await on.query(LOCK_BUILD, [ROWS_CLASS, firstLock(build)]);
}

/** The build's own lock; its buckets follow. Builds beyond 8 million share locks, which costs waiting only. */
function firstLock(build: number): number {
  return (build % 8_000_000) * (BUCKETS + 1);
}

/** FNV-1a. */
function bucketOf(text: string): number {
  let hash = 2166136261;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 16777619);
  return (hash ^ (hash >>> 16)) & (BUCKETS - 1);
}
