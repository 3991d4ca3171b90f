import { distance, within, type PartitionKey, type Position } from '../../../kernel/position.js';
import type { FoldPlan } from '../fold/fold-plan.js';

/** A small row in memory, with its key. */
const ROW_BYTES = 300;

/**
 * How a pass reads the partitions. All at once is faster where rows are few: what was appended together is read together, which a
 * log in PostgreSQL has on the same pages. One by one where there may be more rows than memory holds: those that one partition
 * touches fit more often than those of all, and when it has ended none of them comes back. On trial: all at once, until it shows
 * which of the two it is.
 */
export type ReadingOrder = 'at once' | 'on trial' | 'one by one';

/** Of builds that read `from` there `to` these ends; `mayTry` where a pass that fails its trial can begin anew. */
export function readingOrder(
  plans: readonly Pick<FoldPlan, 'rowsByKey'>[],
  from: Position,
  to: Position,
  memoryBytes: number,
  mayTry: boolean,
): ReadingOrder {
  const mostRows = distance(from, within(to, from));
  // Rows that several partitions touch come back, and are the same only where their events come in an order like that of their times.
  if (mostRows * ROW_BYTES <= memoryBytes || !plans.every(({ rowsByKey }) => rowsByKey)) return 'at once';
  return mayTry && Object.keys(from).length > 1 ? 'on trial' : 'one by one';
}

/** What is read one part after the other, each with where it begins. */
export function partsOf(order: ReadingOrder, from: Position): readonly Position[] {
  if (order !== 'one by one') return [from];
  return (Object.entries(from) as [PartitionKey, number][]).map(([key, at]) => ({ [key]: at }));
}
