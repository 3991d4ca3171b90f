import { rm } from 'node:fs/promises';
import { machineTime } from '../clock.js';
import type { Catcher, Guard, GuardSet, Patch } from './guard.js';
import { patchSources } from './patch-sources.js';
import type { Processes } from './processes.js';
import { copyRepository } from './repository-copy.js';
import { runSeeds } from './run-seeds.js';
import { runTests } from './run-tests.js';
import { verdictOf, type Verdict } from './verdict.js';

export interface Proof {
  readonly name: string;
  readonly verdict: Verdict;
  readonly seconds: number;
  /** A guard alone, or a set. */
  readonly set: boolean;
}

export interface Catalogue {
  readonly guards: readonly Guard[];
  readonly sets: readonly GuardSet[];
}

/**
 * Takes each guard out of a copy of the repository and looks what catches that, then each set of which a member alone was not
 * caught. `told` hears of each as it is decided.
 */
export async function prove(
  root: string,
  { guards, sets }: Catalogue,
  processes: Processes,
  told: (proof: Proof) => void,
): Promise<readonly Proof[]> {
  const copy = await copyRepository(root, processes);
  const proofs: Proof[] = [];
  try {
    const failedBefore = await failingUnpatched(copy, processes, [...guards, ...sets]);
    const decide = async (name: string, of: Guard | GuardSet, patches: readonly Patch[]): Promise<void> => {
      const began = machineTime();
      const verdict = await without(patches, of);
      const proof = { name, verdict, seconds: (machineTime() - began) / 1_000, set: 'set' in of };
      proofs.push(proof);
      told(proof);
    };
    const without = async (patches: readonly Patch[], { driver, caughtBy }: Guard | GuardSet): Promise<Verdict> => {
      const restore = await patchSources(copy, patches);
      try {
        if ('tests' in caughtBy) return verdictOf(await runTests(copy, processes, caughtBy.tests), failedBefore);
        const run = await runSeeds(copy, processes, driver, caughtBy.seeds);
        if ('broken' in run) return run;
        return run.after === null ? { caughtBy: null } : { caughtBy: `harness on ${driver}`, after: run.after };
      } finally {
        await restore();
      }
    };
    for (const guard of guards) await decide(guard.guard, guard, guard.patches);
    for (const set of sets) {
      if (!set.members.some((member) => proofs.some(({ name, verdict }) => name === member && isUncaught(verdict)))) continue;
      const patches = set.members.flatMap((member) => guards.find(({ guard }) => guard === member)?.patches ?? []);
      await decide(set.set, set, patches);
    }
    return proofs;
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
}

/** The guards of these names, and the sets all of whose members are among them. */
export function chosen({ guards, sets }: Catalogue, names: readonly string[]): Catalogue {
  const members = sets.filter(({ set }) => names.includes(set)).flatMap((set) => set.members);
  const some = guards.filter(({ guard }) => names.includes(guard) || members.includes(guard));
  return {
    guards: some,
    sets: sets.filter((set) => set.members.every((member) => some.some(({ guard }) => guard === member))),
  };
}

export function isUncaught(verdict: Verdict): boolean {
  return 'caughtBy' in verdict && verdict.caughtBy === null;
}

async function failingUnpatched(
  copy: string,
  processes: Processes,
  of: readonly { readonly caughtBy: Catcher }[],
): Promise<ReadonlySet<string>> {
  const tests = of.flatMap(({ caughtBy }) => ('tests' in caughtBy ? caughtBy.tests : []));
  if (tests.length === 0) return new Set();
  const { failed } = await runTests(copy, processes, tests);
  for (const { test } of failed) console.log(`fails also with every guard in place, and catches nothing: ${test}`);
  return new Set(failed.map(({ test }) => test));
}
