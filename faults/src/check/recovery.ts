import type { JournalLine } from '../actors/journal.js';
import type { ProgressNote } from './evidence.js';

/** Milliseconds, over the strikes after which something was appended. */
export interface Recovery {
  readonly p50: number | null;
  readonly p99: number | null;
  readonly max: number | null;
  /** How many strikes those are. */
  readonly strikes: number;
}

export interface Recoveries {
  /** One for each strike after which something was appended that a projection reads; there is nothing to see after the others. */
  readonly times: readonly number[];
  /** What was appended after a strike and never became visible: partition and projection. */
  readonly unseen: readonly string[];
}

/**
 * How long it took from each end of a strike until appends made after it were visible: on every partition that got one, in the
 * live build of every projection that reads it.
 */
export function recoveries(
  ends: readonly number[],
  journal: readonly JournalLine[],
  progress: readonly ProgressNote[],
): Recoveries {
  const appends = journal.filter((line) => line.t === 'acknowledged');
  const live = progress.filter((note) => note.live);
  const projections = [...new Set(live.map(({ projection }) => projection))];
  const times: number[] = [];
  const unseen = new Set<string>();
  for (const end of ends) {
    const first = new Map<string, number>();
    for (const { triedAt, position } of appends)
      if (triedAt >= end)
        for (const [partition, next] of Object.entries(position))
          first.set(partition, Math.min(first.get(partition) ?? Infinity, next));
    const seen: number[] = [];
    for (const [partition, next] of first)
      for (const projection of projections) {
        const readers = live.filter((note) => note.projection === projection && partition in note.next);
        if (readers.length === 0) continue;
        const reached = readers.find((note) => note.at >= end && (note.next[partition] ?? 0) >= next);
        if (reached) seen.push(reached.at - end);
        else unseen.add(`${partition} in ${projection}`);
      }
    if (seen.length > 0) times.push(Math.max(...seen));
  }
  return { times, unseen: [...unseen] };
}

export function summed(times: readonly number[]): Recovery {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (part: number): number | null => {
    const value = sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)];
    return value === undefined ? null : Math.round(value);
  };
  return { p50: at(0.5), p99: at(0.99), max: at(1), strikes: sorted.length };
}
