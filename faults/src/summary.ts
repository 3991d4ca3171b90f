import type { ProblemKind } from './check/evidence.js';
import { summed, type Recovery } from './check/recovery.js';
import type { RunResult } from './run/run.js';
import type { Driver } from './servers/servers.js';

/** The last line with `--json`. */
export interface Summary {
  readonly driver: Driver;
  readonly runs: number;
  readonly strikes: number;
  readonly byStrike: Readonly<Record<string, number>>;
  readonly lost: number;
  readonly doubled: number;
  readonly reordered: number;
  readonly mixed: number;
  readonly failedSeeds: readonly number[];
  readonly recoverMs: Recovery;
}

export function summarize(driver: Driver, results: readonly RunResult[]): Summary {
  const kinds = results.flatMap(({ strikes }) => strikes);
  const byStrike: Record<string, number> = {};
  for (const kind of [...kinds].sort()) byStrike[kind] = (byStrike[kind] ?? 0) + 1;
  const count = (kind: ProblemKind): number =>
    results.reduce((sum, { problems }) => sum + problems.filter((problem) => problem.kind === kind).length, 0);
  return {
    driver,
    runs: results.length,
    strikes: kinds.length,
    byStrike,
    lost: count('lost'),
    doubled: count('doubled'),
    reordered: count('reordered'),
    mixed: count('mixed'),
    failedSeeds: results.filter(hasFailed).map(({ seed }) => seed),
    recoverMs: summed(results.flatMap(({ recoverMs }) => recoverMs)),
  };
}

/** A promise that was not kept, or work that did not come to rest. */
export function hasFailed({ problems, faults }: RunResult): boolean {
  return problems.length + faults.length > 0;
}
