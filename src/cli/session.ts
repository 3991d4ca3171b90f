import { existsSync } from 'node:fs';
import path from 'node:path';
import { whereOf } from '../database/check-server.js';
import { Database } from '../database/database.js';
import { DeadLetterStore } from '../database/dead-letters/dead-letter-store.js';
import { startEmbeddedPostgres } from '../database/embedded/embedded-postgres.js';
import { Migrator } from '../database/migrator.js';
import { jsonCodec } from '../kernel/codec.js';
import { KappaError } from '../kernel/errors.js';
import type { EventLog } from '../log/event-log.js';
import type { PostgresLog } from '../log/postgres/postgres-log.js';
import { RelayOperations } from '../modules/aggregates/relay/relay-operations.js';
import type { ResolvedDefinitions } from '../modules/kappa/definitions-check.js';
import type { KappaConfig } from '../modules/kappa/kappa-options.js';
import { kappaMigrations } from '../modules/kappa/migrations.js';
import { createTopics, openLog } from '../modules/kappa/open-log.js';
import { checkOptions, type ResolvedOptions } from '../modules/kappa/options-check.js';
import { StopStack } from '../modules/kappa/stop-stack.js';
import type { DeadLetters } from '../modules/operations/dead-letters/dead-letters.js';
import { LetterDesk } from '../modules/operations/dead-letters/letter-desk.js';
import { BuildStore } from '../modules/projections/build-store.js';
import { BuildOwners } from '../modules/projections/dead-letters/build-owners.js';
import type { ProjectionOperations } from '../modules/projections/operations.js';
import type { PolicyOperations } from '../modules/policies/operations.js';
import { PolicyOwners } from '../modules/policies/policy-owners.js';
import { PolicyStatusReader } from '../modules/policies/policy-status.js';
import { PolicyStore } from '../modules/policies/policy-store.js';
import { ProgressSignal } from '../modules/projections/runner/progress-signal.js';
import { Operations } from '../modules/projections/supervisor/operations.js';

/** What a command needs; the database is always there. */
export interface SessionNeeds {
  /** Definitions must have been loaded. */
  readonly definitions?: boolean;
  /** Works on tables: missing steps are applied first where the options say `migrate: 'auto'`. */
  readonly write?: boolean;
  /** The tables may be missing. */
  readonly anySchema?: boolean;
  /** Even the embedded database may be missing; it is made then. */
  readonly create?: boolean;
  /** False: asks the database alone, so that it does not matter whether Kafka is there. Default true. */
  readonly log?: boolean;
}

/** What a command works with. Nothing of the application runs in it. */
export interface Session {
  readonly options: ResolvedOptions;
  readonly definitions: ResolvedDefinitions;
  readonly file: string | null;
  /** Host, port and name of the database, without user and password; for the embedded one also its folder. */
  readonly place: string;
  readonly embedded: boolean;
  readonly database: Database;
  readonly migrator: Migrator;
  readonly log: EventLog;
  /** What aggregates append to: the log itself where PostgreSQL carries it. */
  readonly outbox: PostgresLog;
  readonly operations: ProjectionOperations;
  readonly relays: RelayOperations;
  readonly policies: PolicyOperations;
  readonly deadLetters: DeadLetters;
  close(): Promise<void>;
}

export interface SessionOpening extends SessionNeeds {
  /** Where the configuration was loaded from. */
  readonly file: string | null;
  /** Remarks for the person at the terminal. */
  readonly note: (text: string) => void;
}

/**
 * Connects to the application's database: its own server, or the embedded one, which is shared with a running application and
 * started here where none runs. No engine, provider or server of the application is started.
 * @throws KAPPA_NO_DEFINITIONS, KAPPA_NO_EMBEDDED_DATABASE, KAPPA_SCHEMA_BEHIND; what database and options check throw
 */
export async function openSession(config: KappaConfig, opening: SessionOpening): Promise<Session> {
  const options = checkOptions(config);
  if (opening.definitions && opening.file === null) {
    throw new KappaError(
      'KAPPA_NO_DEFINITIONS',
      'this needs the definitions of the application, and no kappa.config.* stands in this folder',
      {
        nextStep: 'Run it in the folder of the application, or give --config or --app.',
      },
    );
  }
  const stops = new StopStack();
  try {
    return await connect(options, opening, stops);
  } catch (error) {
    await stops.run();
    throw error;
  }
}

async function connect(options: ResolvedOptions, opening: SessionOpening, stops: StopStack): Promise<Session> {
  const { definitions, database: named } = options;
  const url = named.url ?? (await embeddedUrl(named.dataDir, opening, stops));
  const database = new Database({
    url,
    schema: named.schema,
    viewSchema: named.viewSchema,
    poolSize: named.poolSize,
    applicationName: `${options.name} command`,
  });
  stops.add('database', () => database.stop());
  await database.start();
  const migrator = new Migrator(database, kappaMigrations);
  if (opening.write && named.migrate === 'auto') await migrator.migrate();
  else if (!opening.anySchema && !opening.create) await migrator.check();

  const logger = { log: () => undefined, warn: opening.note, error: opening.note };
  const opened = openLog({ options, database, logger, retains: false });
  const { log, outbox } = opened;
  stops.add('rows to relay', () => outbox.stop());
  if (log !== outbox && opening.log !== false) {
    stops.add('log', () => log.stop());
    await log.start();
  }
  if (opening.write) await createTopics(opened, definitions);
  const parts = { database, log, builds: new BuildStore(database), progress: new ProgressSignal(), logger, codec: jsonCodec };
  const context = { ...parts, ...options.projections, projections: definitions.projections };
  const operations = new Operations(context);
  const relays = new RelayOperations({ database, outbox, log });
  const policyProgress = new PolicyStore(database);
  const deadLetters = new LetterDesk({ ...parts, owners: [new BuildOwners(context), new PolicyOwners(policyProgress)] });
  const embedded = named.url === null;
  const place = embedded ? `${whereOf(url)} in ${path.resolve(named.dataDir)}` : whereOf(url);
  return {
    options,
    definitions,
    file: opening.file,
    place,
    embedded,
    database,
    migrator,
    log,
    outbox,
    operations,
    relays,
    deadLetters,
    policies: new PolicyStatusReader(database, log, policyProgress, new DeadLetterStore(database), definitions.policies),
    close: () => stops.run(),
  };
}

async function embeddedUrl(dataDir: string, { create, note }: SessionOpening, stops: StopStack): Promise<string> {
  if (!create && !existsSync(dataDir)) {
    throw new KappaError('KAPPA_NO_EMBEDDED_DATABASE', `there is no ${path.resolve(dataDir)}, and no other database is named`, {
      nextStep: 'Start the application once, run this in its folder, or give --database or DATABASE_URL.',
    });
  }
  const server = await startEmbeddedPostgres({ dataDir, ...(create ? { onStart: note } : {}) });
  stops.add('embedded PostgreSQL', () => server.stop());
  return server.url;
}
