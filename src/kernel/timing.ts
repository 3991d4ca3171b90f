/** A timer comes a little early or late, of which this part of its time makes no second one. */
const NEAR = 1 / 8;

/**
 * How long until this process's clock shows a whole multiple of `everyMs`; of one that is near, the next: nine eighths at most. What a
 * process does equally often while it rests is done together so: what that costs is being woken, not what is done then.
 */
export function untilTogether(everyMs: number, now = performance.now()): number {
  const left = everyMs - (now % everyMs);
  return left < everyMs * NEAR ? left + everyMs : left;
}
