import { Database } from '../../database/database.js';
import { DeadLetterStore } from '../../database/dead-letters/dead-letter-store.js';
import { startEmbeddedPostgres } from '../../database/embedded/embedded-postgres.js';
import { Migrator } from '../../database/migrator.js';
import { jsonCodec } from '../../kernel/codec.js';
import { KappaError } from '../../kernel/errors.js';
import type { Logger } from '../../kernel/logger.js';
import type { TopicName } from '../../kernel/names.js';
import { partitionKey, type Position } from '../../kernel/position.js';
import type { EventLog } from '../../log/event-log.js';
import type { Inject } from '../aggregates/aggregate.js';
import { CommandExecutor } from '../aggregates/command-executor.js';
import { Commands } from '../aggregates/command.js';
import { Relay } from '../aggregates/relay/relay.js';
import type { RelayHealth } from '../aggregates/relay/relay-state.js';
import { relayedTopics } from '../aggregates/relay/relayed-topics.js';
import { RelayOperations } from '../aggregates/relay/relay-operations.js';
import { HealthChecks } from '../operations/health/health-checks.js';
import type { Health } from '../operations/health/health.js';
import { beginPolicies } from '../policies/begin-policies.js';
import { PolicyEngine } from '../policies/engine/policy-engine.js';
import type { PolicyOperations } from '../policies/operations.js';
import { PolicyOwners } from '../policies/policy-owners.js';
import { PolicyStatusReader } from '../policies/policy-status.js';
import { PolicyStore } from '../policies/policy-store.js';
import { LetterDesk } from '../operations/dead-letters/letter-desk.js';
import type { DeadLetters } from '../operations/dead-letters/dead-letters.js';
import { BuildStore } from '../projections/build-store.js';
import { BuildOwners } from '../projections/dead-letters/build-owners.js';
import type { ProjectionOperations } from '../projections/operations.js';
import { ProgressSignal } from '../projections/runner/progress-signal.js';
import { Operations } from '../projections/supervisor/operations.js';
import { ProjectionEngine } from '../projections/supervisor/supervisor.js';
import { ProgressWatch } from '../serving/progress-watch.js';
import { ProjectionReader, type ReadableProjection } from '../serving/projection-reader.js';
import type { ReaderSource } from '../serving/readers.js';
import { readinessChecks } from './readiness-checks.js';
import { kappaMigrations } from './migrations.js';
import { createTopics, openLog } from './open-log.js';
import type { ResolvedOptions } from './options-check.js';
import { StopStack } from './stop-stack.js';
import { waitForDatabase } from './wait-for-database.js';

/** What the runtime is given by whoever hosts it. */
export interface RuntimeHost {
  /** Gives `prepare` and policies their services. */
  readonly inject: Inject;
  readonly logger: Logger;
}

export interface RuntimeStart {
  /** False opens database, log, commands and readers; nothing projects, no policy runs. Default: what `run` says. */
  readonly engines?: boolean;
  readonly signal?: AbortSignal;
}

interface Opened {
  readonly database: Database;
  readonly log: EventLog;
  readonly outbox: EventLog;
  readonly commands: Commands;
  readonly operations: ProjectionOperations;
  readonly policies: PolicyOperations;
  readonly deadLetters: DeadLetters;
  readonly engine: ProjectionEngine;
  /** Null where PostgreSQL carries the log, or `run` leaves it out. */
  readonly relay: Relay | null;
  readonly relays: RelayOperations;
  readonly policyEngine: PolicyEngine;
  readonly health: HealthChecks;
  readonly watch: ProgressWatch;
}

/** Which part of `shutdownTimeoutMs` is given to a log that does not answer: the others stop after what waits for it. */
const LOG_SHARE = 3;

/**
 * All parts of an application, started and stopped in order; it knows no Nest.
 *
 * Start: embedded server, database, schema, log, topics, commands, readers, relay, engines. Stop, the other way round: engines
 * finish their batch, waiting reads end, commands under way end, the relay finishes its transactions, then log, connections,
 * embedded server. A stop that takes longer than `shutdownTimeoutMs` gives up and says what it waited for.
 */
export class KappaRuntime implements ReaderSource {
  readonly #stops = new StopStack();
  readonly #readers = new Map<string, ProjectionReader<never>>();
  readonly #stopping = new AbortController();
  #opened: Opened | null = null;
  /** From when it is opened, before it has started. */
  #log: EventLog | null = null;
  #starting: Promise<void> | null = null;
  #enginesRun = false;

  constructor(
    readonly options: ResolvedOptions,
    private readonly host: RuntimeHost,
  ) {}

  get database(): Database {
    return this.#parts.database;
  }

  get log(): EventLog {
    return this.#parts.log;
  }

  get commands(): Commands {
    return this.#parts.commands;
  }

  get operations(): ProjectionOperations {
    return this.#parts.operations;
  }

  get relays(): RelayOperations {
    return this.#parts.relays;
  }

  /** What the relay of this process does; null where it runs none. */
  get relayHealth(): RelayHealth | null {
    return this.#parts.relay?.health ?? null;
  }

  get policies(): PolicyOperations {
    return this.#parts.policies;
  }

  get deadLetters(): DeadLetters {
    return this.#parts.deadLetters;
  }

  get health(): Health {
    return this.#parts.health;
  }

  get servesRest(): boolean {
    return this.options.run.rest;
  }

  /** Where a topic ends, with what aggregates have appended and is not relayed yet. */
  async end(topic: TopicName): Promise<Position> {
    const { database, log, outbox } = this.#parts;
    const appended = log !== outbox && (await relayedTopics(database)).includes(topic) ? outbox : log;
    const ends = await appended.offsets(topic);
    return Object.fromEntries(ends.map(({ partition, end }) => [partitionKey(topic, partition), end]));
  }

  /** The reader of a projection's live build, with the columns of the given version. One per version. */
  reader<Row>(projection: ReadableProjection<Row>): ProjectionReader<Row> {
    const { database, watch } = this.#parts;
    const id = `${projection.name}@${projection.version}`;
    const known = this.#readers.get(id) as ProjectionReader<Row> | undefined;
    if (known) return known;
    const made = new ProjectionReader(projection, database, watch);
    this.#readers.set(id, made as unknown as ProjectionReader<never>);
    return made;
  }

  /**
   * Starts all parts; what was started is stopped again when a later one fails.
   * @throws KAPPA_DATABASE_UNREACHABLE when the database stays away for longer than `connectTimeoutMs`; what the parts throw.
   */
  async start(options: RuntimeStart = {}): Promise<void> {
    this.#starting ??= this.#start(options);
    await this.#starting;
  }

  /** Relays, projects and runs policies, where `run` says so. May be called twice. */
  async startEngines(): Promise<void> {
    const { engine, policyEngine, relay } = this.#parts;
    const { run } = this.options;
    if (this.#enginesRun) return;
    relay?.start();
    this.#enginesRun = true;
    if (run.projections) {
      this.#stops.add('projections', () => engine.stop());
      await engine.start();
    }
    if (!run.policies || this.#stopping.signal.aborted) return;
    this.#stops.add(
      'policies',
      () => policyEngine.stop(),
      () => policyEngine.underWay,
    );
    policyEngine.start();
  }

  /** A stop is near: readiness says so, and everything goes on until then. */
  leave(): void {
    this.#opened?.health.leave();
  }

  /**
   * Waits for the batch, the events and the commands under way. May be called twice.
   * @throws KAPPA_STOP_TIMEOUT after `shutdownTimeoutMs`, with what was still under way
   */
  async stop(): Promise<void> {
    this.leave();
    this.#stopping.abort(new KappaError('KAPPA_STOPPED', 'the application stops'));
    this.#log?.hurry?.(this.options.shutdownTimeoutMs / LOG_SHARE);
    await this.#starting?.catch(() => undefined);
    await this.#stops.run({ limitMs: this.options.shutdownTimeoutMs });
  }

  async #start({ engines = true, signal }: RuntimeStart): Promise<void> {
    const aborted = signal ? AbortSignal.any([signal, this.#stopping.signal]) : this.#stopping.signal;
    try {
      this.#opened = await this.#open(aborted);
      if (engines) await this.startEngines();
    } catch (error) {
      // Why it failed counts more than what went wrong on the way out.
      await this.#stops.run({ limitMs: this.options.shutdownTimeoutMs }).catch(() => undefined);
      throw error;
    }
  }

  get #parts(): Opened {
    if (this.#opened) return this.#opened;
    throw new KappaError('KAPPA_NOT_STARTED', 'nest-kappa has not started yet', { nextStep: 'Await start() first.' });
  }

  async #open(signal: AbortSignal): Promise<Opened> {
    const { options, host } = this;
    const { definitions, projections } = options;
    const database = await this.#openDatabase(signal);
    signal.throwIfAborted();
    const opened = openLog({ options, database, logger: host.logger });
    const { log, outbox } = opened;
    this.#log = log;
    this.#stops.add('rows to relay', () => outbox.stop());
    await outbox.start();
    if (log !== outbox) {
      this.#stops.add('log', () => log.stop());
      await log.start({ signal });
    }
    await createTopics(opened, definitions);
    const relay = log !== outbox && options.run.relay ? new Relay({ database, outbox, log, logger: host.logger }) : null;
    if (relay) this.#stops.add('relay', () => relay.stop());

    const executor = new CommandExecutor({
      database,
      log: outbox,
      codec: jsonCodec,
      aggregates: definitions.aggregates,
      inject: host.inject,
      logger: host.logger,
      ...options.commands,
    });
    this.#stops.add(
      'commands',
      () => executor.stop(),
      () => executor.underWay,
    );
    if (options.run.commands || options.run.policies) await executor.start();
    const policyProgress = new PolicyStore(database);
    await beginPolicies(definitions.policies, log, policyProgress);
    const progress = new ProgressSignal();
    const watch = new ProgressWatch(database, progress);
    this.#stops.add('reads', () => watch.stop());
    const builds = new BuildStore(database, () => engine.stir());
    const context = { database, log, builds, progress, logger: host.logger, codec: jsonCodec };
    const engine: ProjectionEngine = new ProjectionEngine({
      ...context,
      projections: definitions.projections,
      application: options.name,
      ...projections,
    });
    const helped = { ...context, ...projections, projections: definitions.projections };
    const operations = new Operations(helped);
    const relays = new RelayOperations({ database, outbox, log });
    const policyEngine = new PolicyEngine({
      database,
      log,
      progress: policyProgress,
      commands: executor,
      policies: definitions.policies,
      inject: host.inject,
      codec: jsonCodec,
      logger: host.logger,
      ...options.policies,
    });
    const policies = new PolicyStatusReader(database, log, policyProgress, new DeadLetterStore(database), definitions.policies);
    const owners = [new BuildOwners(helped), new PolicyOwners(policyProgress)];
    const deadLetters = new LetterDesk({ database, log, codec: jsonCodec, owners });
    const health = new HealthChecks(
      readinessChecks({ database, log, projections: engine, policies: policyEngine, relay }, options),
    );
    this.#stops.add('health', () => health.stop());
    health.start();
    const commands = options.run.commands ? executor : new NoCommands();
    return {
      database,
      log,
      outbox,
      commands,
      operations,
      policies,
      deadLetters,
      engine,
      policyEngine,
      health,
      relay,
      relays,
      watch,
    };
  }

  async #openDatabase(signal: AbortSignal): Promise<Database> {
    const { name, database: named } = this.options;
    const { logger } = this.host;
    let url = named.url;
    if (url === null) {
      const server = await startEmbeddedPostgres({ dataDir: named.dataDir, onStart: (line) => logger.log(line) });
      this.#stops.add('embedded PostgreSQL', () => server.stop());
      url = server.url;
    }
    const database = new Database({
      url,
      schema: named.schema,
      viewSchema: named.viewSchema,
      poolSize: named.poolSize,
      applicationName: name,
    });
    this.#stops.add('database', () => database.stop());
    const migrator = new Migrator(database, kappaMigrations);
    await waitForDatabase(database, () => (named.migrate === 'check' ? migrator.check() : migrator.migrate()), {
      timeoutMs: named.connectTimeoutMs,
      logger,
      signal,
    });
    return database;
  }
}

/** Stands where `run` leaves commands out. */
class NoCommands extends Commands {
  async execute(command: object): Promise<never> {
    throw new KappaError('KAPPA_COMMANDS_OFF', `this process does not execute commands (${command.constructor.name})`, {
      nextStep: 'Name commands in run (or KAPPA_RUN), or send it to a process that does.',
    });
  }
}
