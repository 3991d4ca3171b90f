import type { GuardSet } from './guard.js';
import { isUncaught, type Proof } from './prove.js';

/** The last line with `--json`. */
export interface ProofSummary {
  readonly guards: readonly {
    readonly guard: string;
    readonly caughtBy: string | null;
    readonly caughtAfterSeeds: number | null;
  }[];
  /** Guards that nothing misses alone, since others of their set cover them; the set was caught. */
  readonly covered: readonly string[];
}

export function summarizeProofs(proofs: readonly Proof[], sets: readonly GuardSet[]): ProofSummary {
  const caught = new Set(proofs.filter(({ verdict }) => 'after' in verdict).map(({ name }) => name));
  const uncaught = new Set(proofs.filter(({ verdict }) => isUncaught(verdict)).map(({ name }) => name));
  const covered = [
    ...new Set(sets.filter(({ set }) => caught.has(set)).flatMap((set) => set.members.filter((name) => uncaught.has(name)))),
  ];
  return {
    guards: proofs
      .filter(({ name }) => !covered.includes(name))
      .map(({ name, verdict }) => ({
        guard: name,
        caughtBy: 'caughtBy' in verdict ? verdict.caughtBy : null,
        caughtAfterSeeds: 'after' in verdict ? verdict.after : null,
      })),
    covered,
  };
}

/** One guard's line, as it is decided. */
export function lineOf({ name, verdict, seconds }: Proof): string {
  const took = `${seconds.toFixed(1)} s`;
  if ('broken' in verdict) return `${name} → NOT TOLD (${took}): ${verdict.broken}`;
  if (verdict.caughtBy === null) return `${name} → nothing caught it (${took})`;
  return `${name} → caught by ${verdict.caughtBy}, after ${verdict.after} ${verdict.after === 1 ? 'seed' : 'seeds'}, ${took}`;
}

/** All of them, under each other. */
export function tableOf({ guards, covered }: ProofSummary): string {
  const width = Math.max(0, ...guards.map(({ guard }) => guard.length), ...covered.map((name) => name.length));
  return [
    ...guards.map(
      ({ guard, caughtBy, caughtAfterSeeds }) =>
        `${guard.padEnd(width)}  ${String(caughtAfterSeeds ?? '–').padStart(2)}  ${caughtBy ?? 'NOTHING'}`,
    ),
    ...covered.map((name) => `${name.padEnd(width)}      covered by others of its set`),
  ].join('\n');
}
