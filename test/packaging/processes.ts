import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));

const OF_THE_TEST_RUN =
  /^(VITEST|NODE_ENV|NODE_OPTIONS|DATABASE_URL|KAPPA_|INIT_CWD|npm_|TEST$|MODE$|DEV$|PROD$|SSR$|BASE_URL$)/;

/** This process's environment without what its own test run put there, and without a database that somebody named for it. */
export function environment(more: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !OF_THE_TEST_RUN.test(name));
  return { ...Object.fromEntries(inherited), NO_COLOR: '1', ...more };
}

/** Returns when something answers; another process gives no other signal. `check` throws when it never will. */
export async function listening(url: string, check: () => void): Promise<void> {
  for (;;) {
    check();
    try {
      await fetch(url);
      return;
    } catch {
      await delay(50);
    }
  }
}

/** Removes a folder that embedded servers may still be leaving, and what those of its data folders keep elsewhere. */
export function removeWithData(folder: string, dataDirs: readonly string[]): void {
  const elsewhere = dataDirs.map((dataDir) => join(dataDir, 'server-home')).filter((pointer) => existsSync(pointer));
  const places = elsewhere.map((pointer) => readFileSync(pointer, 'utf8').trim());
  for (const place of [...places, folder]) rmSync(place, { recursive: true, force: true, maxRetries: 20, retryDelay: 250 });
}
