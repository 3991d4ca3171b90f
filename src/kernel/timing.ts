/**
 * How long until this process's clock shows a whole multiple of `everyMs`; no less than half of it. What a process does equally
 * often while it rests is done together so: what that costs is being woken, not what is done then.
 */
export function untilTogether(everyMs: number, now = performance.now()): number {
  const left = everyMs - (now % everyMs);
  return left < everyMs / 2 ? left + everyMs : left;
}
