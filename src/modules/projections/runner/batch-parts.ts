import { isDataError } from '../../../database/database-errors.js';
import type { LogRecord } from '../../../kernel/record.js';
import type { AdvanceOutcome } from '../build.js';
import { EventFailure } from '../fold/event-failure.js';
import type { FoldPlan } from '../fold/fold-plan.js';
import type { BatchPart } from './batch-part.js';

/** Records that are looked at together: most often the first is one that is wanted. */
const LOOKED_AT = 8;

export interface Applied {
  /** `advanced` when all was applied that stands before the failing record, or all. */
  readonly outcome: AdvanceOutcome;
  /** What moved, in the order it was applied. */
  readonly moved: readonly BatchPart[];
  readonly failure: EventFailure | null;
}

/**
 * Applies a batch; where a record is at fault, applies what stands before it and says which one it is. An error of the data
 * (SQLSTATE 22, 23) names no record, so the batch is halved until one is left.
 * @throws what `apply` throws for any other reason; what was applied until then stays applied.
 */
export async function applyUpToFailure(
  apply: (parts: readonly BatchPart[]) => Promise<AdvanceOutcome>,
  parts: readonly BatchPart[],
): Promise<Applied> {
  if (parts.every((part) => part.to === part.from && part.length === 0))
    return { outcome: 'advanced', moved: [], failure: null };
  try {
    const outcome = await apply(parts);
    return { outcome, moved: outcome === 'advanced' ? parts : [], failure: null };
  } catch (error) {
    if (error instanceof EventFailure) {
      const before = await applyUpToFailure(apply, beforeRecord(parts, error.record));
      return before.failure ? before : { ...before, failure: error };
    }
    const count = recordsIn(parts);
    if (!isDataError(error) || count === 0) throw error;
    if (count === 1) {
      const record = parts.find((part) => part.length > 0)?.records[0] as LogRecord;
      const before = await applyUpToFailure(apply, beforeRecord(parts, record));
      return { ...before, failure: new EventFailure(record, error) };
    }
    const [head, tail] = halves(parts, count >> 1);
    const first = await applyUpToFailure(apply, head);
    if (first.failure || first.outcome !== 'advanced') return first;
    const second = await applyUpToFailure(apply, tail);
    return { ...second, moved: [...first.moved, ...second.moved] };
  }
}

/** Whether a handler may want any of the records. */
export function wantsAny(parts: readonly BatchPart[], plan: Pick<FoldPlan, 'wants'>): boolean {
  for (const part of parts)
    for (let at = 0; at < part.length; at += LOOKED_AT)
      if (part.slice(at, at + LOOKED_AT).some((record) => plan.wants(record))) return true;
  return false;
}

export function recordsIn(parts: readonly BatchPart[]): number {
  return parts.reduce((sum, part) => sum + part.length, 0);
}

function beforeRecord(parts: readonly BatchPart[], record: LogRecord): BatchPart[] {
  const at = parts.findIndex((part) => part.topic === record.topic && part.partition === record.partition);
  return parts.slice(0, at + 1).map((part, index) => (index === at ? part.before(record.offset) : part));
}

/** The first `count` records and the rest, in order; all offsets stay covered. */
function halves(parts: readonly BatchPart[], count: number): readonly [BatchPart[], BatchPart[]] {
  const head: BatchPart[] = [];
  const tail: BatchPart[] = [];
  let left = count;
  for (const part of parts) {
    if (left <= 0) tail.push(part);
    else if (part.length <= left) head.push(part);
    else {
      const edge = part.records[left]?.offset ?? part.to;
      head.push(part.before(edge));
      tail.push(part.since(edge));
    }
    left -= part.length;
  }
  return [head, tail];
}
