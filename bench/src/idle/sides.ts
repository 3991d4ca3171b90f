import { setTimeout as sleep } from 'node:timers/promises';
import { roundsOf, type BenchSettings } from '../bench.js';
import type { BenchResult } from '../result.js';
import { cpuSecondsOf } from './cpu-time.js';

const WINDOW_SECONDS = 20;
const QUICK_WINDOW_SECONDS = 10;
/**
 * After the start, what it left to do is done: connections, the first autovacuum, compilation, and the sweeps by which the engine
 * gives memory back once a process has grown quiet, which were twice as much as all else from the 8th to the 18th second.
 */
const SETTLE_SECONDS = 30;

/** CPU of both sides, in turn, as a share of one core; both run all the time and have nothing to do. */
export async function restingCpu(
  settings: BenchSettings,
  ours: readonly number[],
  theirs: readonly number[],
): Promise<BenchResult['runs']> {
  const seconds = settings.quick ? QUICK_WINDOW_SECONDS : WINDOW_SECONDS;
  const runs: { readonly ours: number[]; readonly theirs: number[] } = { ours: [], theirs: [] };
  await sleep(SETTLE_SECONDS * 1_000);
  for (let round = 0; round < roundsOf(settings); round += 1) {
    runs.ours.push(await shareOfACore(ours, seconds));
    runs.theirs.push(await shareOfACore(theirs, seconds));
  }
  return runs;
}

async function shareOfACore(processes: readonly number[], seconds: number): Promise<number> {
  const began = performance.now();
  const before = await cpuSecondsOf(processes);
  await sleep(seconds * 1_000);
  const taken = (await cpuSecondsOf(processes)) - before;
  return (taken * 100_000) / (performance.now() - began);
}
