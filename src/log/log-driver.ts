import type { Database } from '../database/database.js';
import type { Logger } from '../kernel/logger.js';
import type { TopicName } from '../kernel/names.js';
import type { EventLog } from './event-log.js';

/** What the composition root gives a driver that is chosen by an option. */
export interface LogContext {
  /** The application's database: where its aggregates append, and what else a driver wants to keep in PostgreSQL. */
  readonly database: Database;
  readonly schema: string;
  /** Shown to the log's server: the application's name. */
  readonly clientId: string;
  readonly logger: Logger;
  /**
   * True for a topic that an aggregate writes to: its records are appended in PostgreSQL and copied, and their offsets are those
   * of their rows there.
   */
  relayed(topic: TopicName): Promise<boolean>;
}

/** A driver of the log as an option: `log: kafka({ … })`. Whoever composes the application opens it and knows no client library. */
export interface LogDriver {
  readonly driver: string;
  /** The limit that holds for all records, those appended in PostgreSQL first included. */
  readonly maxRecordBytes: number;
  /** A log that is not started. */
  open(context: LogContext): EventLog;
}
