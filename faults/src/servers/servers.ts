import type { LoggedEvent } from '../check/evidence.js';

/** What a run stands on: made for it, struck in it, thrown away after it. */
export interface Servers {
  readonly driver: Driver;
  /** PostgreSQL itself; processes of the run get it through a wire each. */
  readonly databaseUrl: string;
  killDatabase(): Promise<void>;
  restartDatabase(): Promise<void>;
  /** The topics of the log, read committed from begin to end, in the order in which they are read. */
  readTopics(): Promise<readonly LoggedEvent[]>;
  stop(): Promise<void>;
}

export const DRIVERS = ['postgres'] as const;
export type Driver = (typeof DRIVERS)[number];
