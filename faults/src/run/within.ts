import { setTimeout as pause } from 'node:timers/promises';

/** False when time was up before it was done. */
export async function within(ms: number, done: Promise<unknown>): Promise<boolean> {
  const over = new AbortController();
  const late = pause(ms, false, { signal: over.signal }).catch(() => false);
  try {
    return await Promise.race([done.then(() => true), late]);
  } finally {
    over.abort();
  }
}
