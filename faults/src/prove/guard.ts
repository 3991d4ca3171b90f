import type { Driver } from '../servers/servers.js';

/** One place of a source from which a guard is taken out. */
export interface Patch {
  /** From the root of the repository. */
  readonly file: string;
  /** Stands exactly once in the file. */
  readonly find: string;
  readonly replace: string;
}

/** A test that shows one interleaving. */
export interface DirectedTest {
  readonly file: string;
  /** The title as it is written in the source, or the begin of it. */
  readonly name: string;
  /** Where the title is written, where that is not the file itself. */
  readonly declaredIn?: string;
}

/** Directed tests, or seeds of the harness that are tried one after the other until one fails. */
export type Catcher = { readonly tests: readonly DirectedTest[] } | { readonly seeds: readonly number[] };

/** What a guarantee rests on, and how to take it out of a copy of the sources. */
export interface Guard {
  readonly guard: string;
  readonly driver: Driver;
  readonly patches: readonly Patch[];
  readonly caughtBy: Catcher;
}

/** Guards that cover each other: each is taken out alone, and where that is not caught, all of them at once. */
export interface GuardSet {
  readonly set: string;
  readonly driver: Driver;
  /** Names of guards. */
  readonly members: readonly string[];
  readonly caughtBy: Catcher;
}
