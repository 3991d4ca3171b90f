import type { Environment } from './environment.js';

/** One figure beside one peer or ceiling of the same run. */
export interface BenchResult {
  readonly bench: string;
  readonly case: string;
  readonly unit: string;
  /** Medians. */
  readonly ours: number;
  readonly against: string;
  readonly theirs: number;
  readonly ratio: number;
  /** The bound that must be reached, null where the case has none. */
  readonly atLeast: number | null;
  readonly aim: number | null;
  readonly reached: boolean | null;
  /** Every run, in the order in which they were made in turn. */
  readonly runs: { readonly ours: readonly number[]; readonly theirs: readonly number[] };
}

export interface BenchReport {
  readonly environment: Environment;
  readonly results: readonly BenchResult[];
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** A result where more is better: the ratio of medians, ours to theirs. */
export function compared(
  head: Pick<BenchResult, 'bench' | 'case' | 'unit' | 'against' | 'atLeast' | 'aim'>,
  runs: BenchResult['runs'],
): BenchResult {
  const ours = median(runs.ours);
  const theirs = median(runs.theirs);
  const ratio = ours / theirs;
  return {
    ...head,
    ours,
    theirs,
    ratio: Math.round(ratio * 1_000) / 1_000,
    reached: head.atLeast === null ? null : ratio >= head.atLeast,
    runs,
  };
}

export function printResult(result: BenchResult): void {
  const show = (value: number): string => Math.round(value).toLocaleString('en');
  console.log(`\n${result.bench}: ${result.case} (${result.unit})`);
  console.log(`  ours    ${show(result.ours).padStart(12)}   runs ${result.runs.ours.map(show).join('  ')}`);
  console.log(`  ${result.against}`);
  console.log(`          ${show(result.theirs).padStart(12)}   runs ${result.runs.theirs.map(show).join('  ')}`);
  const bound =
    result.atLeast === null
      ? ''
      : `, at least ${result.atLeast} (aim ${result.aim ?? result.atLeast}): ${result.reached ? 'reached' : 'MISSED'}`;
  console.log(`  ratio of medians ${result.ratio}${bound}`);
}
