import { distance, within, type PartitionKey, type Position } from '../../../kernel/position.js';
import type { FoldPlan } from '../fold/fold-plan.js';

/** A small row in memory, with its key. */
const ROW_BYTES = 300;

/**
 * What a pass reads one part after the other, each with where it begins. Most often all at once, so that what was appended together
 * is read together. Where there may be more rows than memory holds, partition by partition: the rows that one partition touches
 * fit more often than those of all, and when it has ended none of them comes back.
 */
export function readingOrder(
  plans: readonly Pick<FoldPlan, 'rowsByKey'>[],
  from: Position,
  to: Position,
  memoryBytes: number,
): readonly Position[] {
  const mostRows = distance(from, within(to, from));
  // Rows that several partitions touch come back, and are the same only where their events come in an order like that of their times.
  if (mostRows * ROW_BYTES <= memoryBytes || !plans.every(({ rowsByKey }) => rowsByKey)) return [from];
  return (Object.entries(from) as [PartitionKey, number][]).map(([key, at]) => ({ [key]: at }));
}
