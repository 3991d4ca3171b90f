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
  /** Of the medians, ours to theirs; their difference where `relation` says so. */
  readonly ratio: number;
  readonly relation: 'ratio' | 'difference';
  /** Whether the bound is one from below (a rate) or from above (a time, a cost). */
  readonly better: 'higher' | 'lower';
  /** The bound, whichever side it is on; null where the case has none. */
  readonly atLeast: number | null;
  readonly aim: number | null;
  /** Whether the bound is kept. */
  readonly reached: boolean | null;
  /** Every run, in the order in which they were made in turn. */
  readonly runs: { readonly ours: readonly number[]; readonly theirs: readonly number[] };
}

export interface BenchReport {
  readonly environment: Environment;
  readonly results: readonly BenchResult[];
}

type Head = Pick<BenchResult, 'bench' | 'case' | 'unit' | 'against' | 'atLeast' | 'aim'>;
type Runs = BenchResult['runs'];

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** The value below which the given share of all lies. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

/** A result where more is better: the ratio of medians, ours to theirs, is at least the bound. */
export function compared(head: Head, runs: Runs): BenchResult {
  return judged(head, runs, 'higher', 'ratio');
}

/** A result where less is better: the ratio of medians, ours to theirs, is at most the bound. */
export function comparedAtMost(head: Head, runs: Runs): BenchResult {
  return judged(head, runs, 'lower', 'ratio');
}

/** A result where less is better and the peer's figure may be next to nothing: the difference is at most the bound. */
export function differingAtMost(head: Head, runs: Runs): BenchResult {
  return judged(head, runs, 'lower', 'difference');
}

function judged(head: Head, runs: Runs, better: BenchResult['better'], relation: BenchResult['relation']): BenchResult {
  const ours = median(runs.ours);
  const theirs = median(runs.theirs);
  const ratio = relation === 'ratio' ? ours / theirs : ours - theirs;
  const { atLeast } = head;
  return {
    ...head,
    ours,
    theirs,
    ratio: Math.round(ratio * 1_000) / 1_000,
    relation,
    better,
    reached: atLeast === null ? null : better === 'higher' ? ratio >= atLeast : ratio <= atLeast,
    runs,
  };
}

export function printResult(result: BenchResult): void {
  console.log(`\n${result.bench}: ${result.case} (${result.unit})`);
  console.log(`  ours    ${shown(result.ours).padStart(12)}   runs ${result.runs.ours.map(shown).join('  ')}`);
  console.log(`  ${result.against}`);
  console.log(`          ${shown(result.theirs).padStart(12)}   runs ${result.runs.theirs.map(shown).join('  ')}`);
  const side = result.better === 'higher' ? 'at least' : 'at most';
  const bound =
    result.atLeast === null
      ? ''
      : `, ${side} ${result.atLeast} (aim ${result.aim ?? result.atLeast}): ${result.reached ? 'reached' : 'MISSED'}`;
  console.log(`  ${result.relation} of medians ${result.ratio}${bound}`);
}

function shown(value: number): string {
  if (Math.abs(value) >= 1_000) return Math.round(value).toLocaleString('en');
  return value.toFixed(Math.abs(value) < 10 ? 2 : 1);
}
