import { roundsOf, type Bench, type BenchSettings } from '../bench.js';
import { runPart } from '../part.js';
import { comparedAtMost, differingAtMost, quantile, type BenchResult } from '../result.js';
import { startServers } from '../servers.js';
import type { PreparePart } from './prepare.process.js';
import { SIZES, type Size } from './sized-projections.js';
import type { SwapsPart, TimedSwap } from './swaps.process.js';
import { readWhile, type TimedRead } from './view-reader.js';

const SMALL_ROWS = 10_000;
const LARGE_ROWS = 10_000_000;
const QUICK_LARGE_ROWS = 1_000_000;
/** Of each size in a round. */
const SWAPS = 50;
/** Medians of the 99th percentiles of a few rounds differ by as much where nothing but the machine does. */
const NOISE = 1.5;
const LONGEST_MS = 5;

/** Milliseconds of each swap of a round. */
interface Waits {
  /** The longest read that overlapped the swap. */
  readonly read: readonly number[];
  readonly locked: readonly number[];
}

type Rounds = Readonly<Record<Size, Waits[]>>;

/** How long a swap keeps readers waiting, and whether that grows with the table. */
export const swap: Bench = {
  logs: ['postgres'],
  run: async (settings) => {
    const { databaseUrl, environment, stop } = await startServers('postgres');
    try {
      const rows = { small: SMALL_ROWS, large: settings.quick ? QUICK_LARGE_ROWS : LARGE_ROWS };
      await runPart<PreparePart, null>(new URL('./prepare.process.js', import.meta.url), { databaseUrl, rows });
      const rounds: Rounds = { small: [], large: [] };
      for (let round = 0; round < roundsOf(settings); round += 1)
        for (const size of SIZES) {
          const waits = await swapped(databaseUrl, size, rows[size]);
          rounds[size].push(waits);
          const words = (['read', 'locked'] as const).map((figure) => `${figure} ${milliseconds(waits[figure])}`);
          console.log(`round ${round + 1}, ${rows[size].toLocaleString('en')} rows: p50 / p99 in ms: ${words.join(', ')}`);
        }
      return { environment, results: resultsOf(rounds, rows, settings) };
    } finally {
      await stop();
    }
  },
};

async function swapped(databaseUrl: string, size: Size, rows: number): Promise<Waits> {
  const file = new URL('./swaps.process.js', import.meta.url);
  let swaps: readonly TimedSwap[] = [];
  const { reads, flips } = await readWhile(databaseUrl, size, rows, async () => {
    swaps = await runPart<SwapsPart, readonly TimedSwap[]>(file, { databaseUrl, size, swaps: SWAPS });
  });
  if (flips < SWAPS) throw new Error(`readers saw ${flips} of ${SWAPS} swaps`);
  return { read: swaps.map((each) => longestDuring(each, reads)), locked: swaps.map(({ lockedMs }) => lockedMs) };
}

function longestDuring(swap: TimedSwap, reads: readonly TimedRead[]): number {
  const during = reads.filter(({ beganMs, endedMs }) => beganMs < swap.endedMs && endedMs > swap.beganMs);
  return Math.max(...during.map(({ beganMs, endedMs }) => endedMs - beganMs));
}

function milliseconds(values: readonly number[]): string {
  return `${quantile(values, 0.5).toFixed(1)} / ${quantile(values, 0.99).toFixed(1)}`;
}

const FIGURES = {
  read: 'the longest read of a row through the view during a swap',
  locked: "the swap's own clock from its first lock to its commit",
} as const;

function resultsOf(rounds: Rounds, rows: Readonly<Record<Size, number>>, { quick }: BenchSettings): BenchResult[] {
  const [small, large] = SIZES.map((size) => `${rows[size].toLocaleString('en')} rows`);
  return (['read', 'locked'] as const).flatMap((figure) => {
    const p99 = (size: Size): number[] => rounds[size].map((waits) => quantile(waits[figure], 0.99));
    const head = { bench: 'swap', unit: 'ms' };
    const words = `p99 of ${FIGURES[figure]}, ${large}`;
    const same = quick ? { atLeast: null, aim: null } : { atLeast: NOISE, aim: 1 };
    const bound = quick ? { atLeast: null, aim: null } : { atLeast: LONGEST_MS, aim: LONGEST_MS };
    return [
      comparedAtMost(
        { ...head, case: `${words} beside ${small}`, against: `the same swap at ${small}`, ...same },
        { ours: p99('large'), theirs: p99('small') },
      ),
      differingAtMost({ ...head, case: words, against: 'no wait at all', ...bound }, { ours: p99('large'), theirs: [0] }),
    ];
  });
}
