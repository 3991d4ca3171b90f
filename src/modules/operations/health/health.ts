/** Whether the process should be restarted: it says nothing of databases, brokers or lag, which a restart does not mend. */
export interface LiveReport {
  readonly live: boolean;
  /** How late the event loop's heartbeat is, in milliseconds, or was at its last beat. */
  readonly eventLoopDelayMs: number;
  /** Empty while it is live. */
  readonly reasons: readonly string[];
}

/** Whether the process should be given work. */
export interface ReadyReport {
  readonly ready: boolean;
  /** What keeps it from being ready, one sentence each; empty while it is ready. */
  readonly reasons: readonly string[];
}

/**
 * How the process is. Injected by its class; served over HTTP by `KappaHealthModule`.
 *
 * Live is whose event loop turns. Ready is who has started, does not stop, reaches database and log, and whose projections and
 * policies run and are not halted. Lag is neither: see status.
 */
export abstract class Health {
  abstract live(): LiveReport;
  /** Asks database and log, each for 2 seconds at most; does not throw. */
  abstract ready(): Promise<ReadyReport>;
}
