import pg from 'pg';
import { clockMs } from './clock.js';
import { rowKey, viewOf, type Size } from './sized-projections.js';

/** One read of the view, on the clock of {@link clockMs}. */
export interface TimedRead {
  readonly beganMs: number;
  readonly endedMs: number;
}

export interface Reads {
  readonly reads: readonly TimedRead[];
  /** How often a read found the row of another build than the one before it did. */
  readonly flips: number;
}

const PAUSE_MS = 0.2;

/** Reads one row after the other through the view, as any program with a connection does, until `work` is done. */
export async function readWhile(databaseUrl: string, size: Size, rows: number, work: () => Promise<unknown>): Promise<Reads> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  const state = { done: false };
  const working = work().finally(() => (state.done = true));
  try {
    const reads: TimedRead[] = [];
    let flips = 0;
    let seen: number | null = null;
    for (let row = 0; !state.done; row = (row + 7_919) % rows) {
      const beganMs = clockMs();
      const { rows: found } = await client.query<{ build: number }>({
        name: 'read',
        text: `select build from public.${viewOf(size)} where id = $1`,
        values: [rowKey(row)],
      });
      reads.push({ beganMs, endedMs: clockMs() });
      const [line] = found;
      if (!line) throw new Error(`${rowKey(row)} was not found in ${viewOf(size)}`);
      if (seen !== null && line.build !== seen) flips += 1;
      seen = line.build;
      pause();
    }
    return { reads, flips };
  } finally {
    await working;
    await client.end();
  }
}

const nobodyWakes = new Int32Array(new SharedArrayBuffer(4));

/** Timers are a millisecond apart; this process has nothing else to do meanwhile. */
function pause(): void {
  Atomics.wait(nobodyWakes, 0, 0, PAUSE_MS);
}
