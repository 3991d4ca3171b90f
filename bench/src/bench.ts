import type { BenchReport } from './result.js';

/** What carries the log of what is measured. */
export type LogName = 'postgres' | 'kafka';

export interface BenchSettings {
  /** Smaller and shorter: tells whether all works, not how fast it is. */
  readonly quick: boolean;
  /** How often both sides run in turn; null for the bench's own number. */
  readonly rounds: number | null;
  readonly log: LogName;
}

/** One thing that can be measured by its name. */
export interface Bench {
  readonly logs: readonly LogName[];
  run(settings: BenchSettings): Promise<BenchReport>;
}

/** Five rounds tell a median from an accident, three whether all works. */
export function roundsOf({ rounds, quick }: BenchSettings): number {
  return rounds ?? (quick ? 3 : 5);
}
