import type { Database } from '../../database/database.js';
import type { Logger } from '../../kernel/logger.js';
import type { EventLog } from '../../log/event-log.js';
import { PostgresLog } from '../../log/postgres/postgres-log.js';
import { RelayedTopics } from '../aggregates/relay/relayed-topics.js';
import type { ResolvedDefinitions } from './definitions-check.js';
import type { ResolvedOptions } from './options-check.js';

export interface OpenedLog {
  /** What everything reads. */
  readonly log: EventLog;
  /** What aggregates append to: the log itself where PostgreSQL carries it, else what is relayed to it. */
  readonly outbox: PostgresLog;
}

export interface OpenLogOptions {
  readonly options: ResolvedOptions;
  readonly database: Database;
  readonly logger: Logger;
  /** False where a short-lived process leaves the removal of old records to others. Default true. */
  readonly retains?: boolean;
}

/** The embedded server is met without a pooler, and most often by one process; each look wakes that. */
const ALONE_MS = 2_500;

/** The log that the options name, and the outbox of the aggregates; neither is started. */
export function openLog({ options, database, logger, retains = true }: OpenLogOptions): OpenedLog {
  const { driver, maxRecordBytes } = options.log;
  const outbox = new PostgresLog(database, {
    maxRecordBytes,
    ...(options.database.url === null ? { alonePollIntervalMs: ALONE_MS } : {}),
    onBackgroundError: (error) => logger.warn(`the log: ${error instanceof Error ? error.message : String(error)}`),
    ...(retains ? {} : { retentionIntervalMs: 0 }),
  });
  if (!driver) return { log: outbox, outbox };
  const relayed = new RelayedTopics(
    database,
    options.definitions.aggregates.map(({ topic }) => topic.name),
  );
  const log = driver.open({
    database,
    schema: database.schema,
    clientId: options.name,
    logger,
    relayed: (topic) => relayed.has(topic),
  });
  return { log, outbox };
}

/** Creates the declared topics where they do not stand yet: all in the log, those of aggregates also in the outbox. */
export async function createTopics({ log, outbox }: OpenedLog, definitions: ResolvedDefinitions): Promise<void> {
  for (const topic of definitions.topics) await log.createTopic(topic);
  if (log === outbox) return;
  for (const { topic } of definitions.aggregates) await outbox.createTopic(topic);
}
