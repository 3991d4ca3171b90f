import type { JournalLine } from '../actors/journal.js';
import type { ProgressNote } from './evidence.js';

/** Milliseconds. */
export interface Recovery {
  readonly p50: number | null;
  readonly p99: number | null;
  readonly max: number | null;
}

/**
 * How long it took from each end of a strike until appends made after it were visible: on every partition that got one, in the
 * live build of every projection that reads it. A strike after which nothing was appended counts for nothing.
 */
export function recoveryTimes(
  ends: readonly number[],
  journal: readonly JournalLine[],
  progress: readonly ProgressNote[],
): readonly number[] {
  const appends = journal.filter((line) => line.t === 'acknowledged');
  const live = progress.filter((note) => note.live);
  const projections = [...new Set(live.map(({ projection }) => projection))];
  return ends.flatMap((end) => {
    const first = new Map<string, number>();
    for (const { triedAt, position } of appends)
      if (triedAt >= end)
        for (const [partition, next] of Object.entries(position))
          first.set(partition, Math.min(first.get(partition) ?? Infinity, next));
    const seen = [...first].flatMap(([partition, next]) =>
      projections.flatMap((projection) => {
        const readers = live.filter((note) => note.projection === projection && partition in note.next);
        if (readers.length === 0) return [];
        const reached = readers.find((note) => note.at >= end && (note.next[partition] ?? 0) >= next);
        return [reached ? reached.at - end : Infinity];
      }),
    );
    const longest = Math.max(...seen);
    return Number.isFinite(longest) ? [longest] : [];
  });
}

export function summed(times: readonly number[]): Recovery {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (part: number): number | null => {
    const value = sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)];
    return value === undefined ? null : Math.round(value);
  };
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}
