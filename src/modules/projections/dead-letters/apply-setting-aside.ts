import type { AdvanceOutcome } from '../build.js';
import { applyUpToFailure, type Applied } from '../runner/batch-parts.js';
import type { BatchPart } from '../runner/batch-part.js';
import type { BuildLetters } from './build-letters.js';

/**
 * Applies a batch whole: a record at fault is tried again and then set aside, its neighbours go on. `failure` is a record at which
 * the build halts; all before it is applied then. Ends early, without an error, when the signal aborts.
 * @throws what `apply` throws for a reason that no record is at fault for
 */
export async function applySettingAside(
  apply: (parts: readonly BatchPart[]) => Promise<AdvanceOutcome>,
  letters: BuildLetters,
  parts: readonly BatchPart[],
  signal: AbortSignal,
): Promise<Applied> {
  const moved: BatchPart[] = [];
  let rest = parts;
  for (;;) {
    const applied = await applyUpToFailure(apply, rest);
    moved.push(...applied.moved);
    const { outcome, failure } = applied;
    if (failure === null) letters.passed();
    if (failure === null || outcome !== 'advanced') return { outcome, moved, failure: null };
    if (await letters.haltsAt(failure, signal)) return { outcome, moved, failure };
    if (signal.aborted) return { outcome, moved, failure: null };
    rest = restOf(rest, applied.moved);
  }
}

/** What is left of the parts when some of them, or their beginnings, have moved. */
function restOf(parts: readonly BatchPart[], moved: readonly BatchPart[]): readonly BatchPart[] {
  return parts.flatMap((part) => {
    const ends = moved
      .filter(({ topic, partition }) => topic === part.topic && partition === part.partition)
      .map(({ to }) => to);
    const from = Math.max(part.from, ...ends);
    if (from >= part.to) return [];
    return [part.since(from)];
  });
}
