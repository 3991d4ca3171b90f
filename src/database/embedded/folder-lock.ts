import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { KappaError } from '../../kernel/errors.js';
import { announce, living, processOf } from './presence.js';

/** Longer than the longest work under the lock: a server that recovers from a crash. */
const DEFAULT_TIMEOUT_MS = 180_000;

/**
 * Runs `work` while no other process runs work under the same folder.
 *
 * Announce, then look: who sees itself alone has the lock, who sees another takes its announcement back and comes again. Of two
 * that come at once, the one that looks last sees the other, so both may go back but never both go in. A holder that died is
 * seen as dead by anyone, at once; nothing has to be broken, no time-out guesses.
 * @throws KAPPA_EMBEDDED_LOCKED when another process holds it for `timeoutMs` (default three minutes).
 * @throws ENOENT when the folder above is gone.
 */
export async function withFolderLock<T>(folder: string, work: () => Promise<T>, timeoutMs = DEFAULT_TIMEOUT_MS): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const announcement = await tryToLock(folder);
    if (announcement !== null) {
      try {
        return await work();
      } finally {
        await rm(announcement, { force: true });
      }
    }
    if (performance.now() > deadline) throw busy(folder, await living(folder));
    // Random, so that two that met once do not meet for ever.
    await sleep(2 + Math.random() * 20);
  }
}

async function tryToLock(folder: string): Promise<string | null> {
  if ((await living(folder)).length > 0) return null;
  const announcement = await announce(folder);
  const seen = await living(folder);
  // Not to see oneself means that the folder was thrown away meanwhile, and another one stands in its place.
  if (seen.length === 1 && seen[0] === announcement) return announcement;
  await rm(announcement, { force: true });
  return null;
}

function busy(folder: string, holders: readonly string[]): KappaError {
  const pids = holders.map((path) => processOf(path).pid);
  return new KappaError(
    'KAPPA_EMBEDDED_LOCKED',
    `process ${pids.join(', ')} has been starting or stopping the embedded PostgreSQL for too long`,
    {
      facts: { folder, pids },
      nextStep: 'Look what that process does, end it if it hangs, and start again.',
    },
  );
}
