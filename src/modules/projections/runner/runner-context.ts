import type { Database } from '../../../database/database.js';
import type { DeadLetterOptions } from '../../../database/dead-letters/letter-policy.js';
import type { Logger } from '../../../kernel/logger.js';
import type { EventLog } from '../../../log/event-log.js';
import type { Builds } from '../builds.js';
import type { ProgressSignal } from './progress-signal.js';

/** What every engine of projections works with. */
export interface RunnerContext {
  readonly database: Database;
  readonly log: EventLog;
  readonly builds: Builds;
  readonly progress: ProgressSignal;
  readonly logger: Logger;
  /** What becomes of failing events, where a projection does not say so itself. */
  readonly deadLetters?: DeadLetterOptions;
  /** Records of one batch of a live runner at most, over all its partitions. Default 5,000. */
  readonly liveBatchRecords?: number;
  /** Milliseconds since some moment, by which a live runner sees how long its batches take. Default: the process's. */
  readonly elapsed?: () => number;
}
