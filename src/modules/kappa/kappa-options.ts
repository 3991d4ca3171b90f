import type { LogDriver } from '../../log/log-driver.js';
import type { DeadLetterOptions } from '../../database/dead-letters/letter-policy.js';
import type { AggregateDefinition } from '../aggregates/aggregate.js';
import type { PolicyDefinition } from '../policies/policy.js';
import type { ProjectionDefinition } from '../projections/projection.js';

export interface KappaDatabaseOptions {
  /** `postgres://user:password@host:port/database`. Default: DATABASE_URL, else the embedded PostgreSQL. */
  readonly url?: string;
  /** Folder of the embedded PostgreSQL. Default: KAPPA_DATA_DIR, else `./.kappa`. Not together with `url`. */
  readonly dataDir?: string;
  /** Where our tables stand. Default `kappa`. */
  readonly schema?: string;
  /** Where the public views of projections stand. Default `public`. */
  readonly viewSchema?: string;
  /** `auto` applies missing steps at start; `check` refuses to start while some are missing. Default `auto`. */
  readonly migrate?: 'auto' | 'check';
  /** Connections of this process at most. Default 10. */
  readonly poolSize?: number;
  /** How long a start waits for a database that is away, in milliseconds. Default 30,000. */
  readonly connectTimeoutMs?: number;
}

export interface KappaLogOptions {
  /** Records larger than this are refused before the append. Default 921,600 (900 KB). */
  readonly maxRecordBytes?: number;
}

/** What this process does. What is left out is not done. Default: everything. KAPPA_RUN=`commands,relay,projections,policies,rest` says the same. */
export interface KappaRunOptions {
  readonly commands?: boolean;
  /** Copies what aggregates append to the log, where another than PostgreSQL carries it: some process must. */
  readonly relay?: boolean;
  readonly projections?: boolean;
  readonly policies?: boolean;
  readonly rest?: boolean;
}

export interface KappaProjectionOptions {
  /** Memory for rows of a rebuild, all projections together, in MiB. Default 256. */
  readonly rebuildMemoryMb?: number;
  /** How long a build goes on projecting after it was swapped away, in hours. Default 24. */
  readonly standbyHours?: number;
  /** What changed handler code under an unchanged version does. Default: `rebuild`, in production `warn`. */
  readonly onChangedCode?: 'rebuild' | 'warn';
  /** What becomes of events that a handler cannot take in, where a projection does not say so itself. */
  readonly deadLetters?: DeadLetterOptions;
}

export interface KappaPolicyOptions {
  /** What becomes of events that fail. Default: tried again 3 times, then set aside, at most 1,000 of a policy. */
  readonly deadLetters?: DeadLetterOptions;
}

export interface KappaCommandOptions {
  /** States of recent streams kept in memory. Default 10,000. */
  readonly stateCacheSize?: number;
  /** How often a command without `expectedVersion` is decided again after a conflict. Default 10. */
  readonly retries?: number;
}

export interface KappaOptions {
  /** Shown in pg_stat_activity and in status. Default: the package name of the working directory, else `nest-kappa`. */
  readonly name?: string;
  readonly database?: KappaDatabaseOptions;
  /** Default: PostgreSQL carries the log. `log: kafka({ brokers })`, by `kafka` of `nest-kappa/kafka`, lets Kafka do it. */
  readonly log?: KappaLogOptions | LogDriver;
  readonly run?: KappaRunOptions;
  readonly projections?: KappaProjectionOptions;
  readonly policies?: KappaPolicyOptions;
  readonly commands?: KappaCommandOptions;
  /**
   * How long a stop waits for what is under way, in milliseconds; then it ends with an error that names it. Default 15,000:
   * less than the 30 s after which Kubernetes kills.
   */
  readonly shutdownTimeoutMs?: number;
}

/** What an application declares; objects and decorated classes stand side by side. */
export interface KappaDefinitions {
  readonly aggregates?: readonly (AggregateDefinition | (new () => object))[];
  /** Several versions of one name are registered together. */
  readonly projections?: readonly (ProjectionDefinition | (new () => object))[];
  readonly policies?: readonly (PolicyDefinition | (new () => object))[];
}

/** The default export of `kappa.config.ts`: definitions and the options that `forRoot` is given, nothing that starts. */
export interface KappaConfig extends KappaDefinitions {
  readonly options?: KappaOptions;
}

/** Types the default export of `kappa.config.ts`. */
export function defineKappaConfig(config: KappaConfig): KappaConfig {
  return config;
}
