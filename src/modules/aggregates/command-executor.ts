import { randomUUID } from 'node:crypto';
import type { Database } from '../../database/database.js';
import { jsonCodec, type Codec } from '../../kernel/codec.js';
import { RetriableError } from '../../kernel/errors.js';
import type { AnyRecorded } from '../../kernel/event.js';
import { silentLogger, type Logger } from '../../kernel/logger.js';
import type { AppendSignal, EventLog } from '../../log/event-log.js';
import { AggregateRegistry, type CommandRoute } from './aggregate-registry.js';
import type { AggregateDefinition, Inject } from './aggregate.js';
import { Appender, type AppenderLimits } from './appender.js';
import { checkCommand } from './command-check.js';
import { CommandRun } from './command-run.js';
import { Commands, type CommandResult, type ExecuteOptions, type OwnTransaction } from './command.js';
import { OwnTransactionAppender } from './own-transaction.js';
import { FoundingGuess } from './founding-guess.js';
import { RunTarget, type RunParts, type RunPlace } from './run-target.js';
import { SnapshotWriter } from './snapshots.js';
import { StateCache } from './state-cache.js';
import { StreamLoader } from './stream-loader.js';
import { SharedReads } from './stream-reads.js';
import { StreamTurns } from './stream-turns.js';
import { UnderWay } from './under-way.js';

export interface CommandExecutorOptions {
  readonly database: Database;
  /** Holds the topics, and wakes the readers of this process after each append. */
  readonly log: Pick<EventLog, 'createTopic' | 'limits'> & AppendSignal;
  readonly aggregates: readonly AggregateDefinition[];
  /** Gives `prepare` its services. */
  readonly inject: Inject;
  /** Default JSON. */
  readonly codec?: Codec;
  /** Default: silent. */
  readonly logger?: Logger;
  /** Default: the machine's. */
  readonly clock?: () => Date;
  /** Default: random UUIDs. */
  readonly newId?: () => string;
  /** States of recent streams kept in memory. Default 10,000. */
  readonly stateCacheSize?: number;
  /** How often a command without `expectedVersion` is decided again after a conflict. Default 10. */
  readonly retries?: number;
  /** Freezes states and events, so that what must be pure fails where it mutates. Default: outside production. */
  readonly freeze?: boolean;
  readonly appender?: AppenderLimits;
}

/** Executes commands: load, prepare, decide, append, in that order, and again after a conflict. */
export class CommandExecutor extends Commands {
  readonly #registry: AggregateRegistry;
  readonly #appender: Appender;
  readonly #snapshots: SnapshotWriter;
  readonly #reads: SharedReads;
  /** Of all commands that bring no transaction of their own. */
  readonly #place: RunPlace;
  readonly #parts: RunParts;
  #started: Promise<void> | null = null;
  #isBound = false;
  #stopped = false;

  constructor(private readonly options: CommandExecutorOptions) {
    super();
    const { database, log, codec = jsonCodec, logger = silentLogger, newId = randomUUID } = options;
    this.#registry = new AggregateRegistry(
      options.aggregates,
      codec,
      options.freeze ?? process.env['NODE_ENV'] !== 'production',
    );
    this.#appender = new Appender(database, log, options.appender);
    this.#snapshots = new SnapshotWriter(database, logger);
    this.#reads = new SharedReads(database.schema, async (statement) => (await database.query<never>(statement)).rows);
    this.#place = { reads: this.#reads, append: (request) => this.#appender.append(request), shared: true };
    this.#parts = {
      codec,
      loader: new StreamLoader(database.schema),
      cache: new StateCache(options.stateCacheSize ?? 10_000),
      turns: new StreamTurns(),
      underWay: new UnderWay(),
      founding: new FoundingGuess(),
      snapshots: this.#snapshots,
      inject: options.inject,
      clock: options.clock ?? (() => new Date()),
      newId: () => newId(),
      retries: options.retries ?? 10,
      maxRecordBytes: log.limits.maxRecordBytes,
    };
  }

  /**
   * Creates the topics of the aggregates and binds each aggregate to its own. May be called twice.
   * @throws KAPPA_AGGREGATE_MOVED, KAPPA_TOPIC_MISMATCH
   */
  async start(): Promise<void> {
    this.#started ??= this.#registry.bind(this.options.database, this.options.log);
    try {
      await this.#started;
      this.#isBound = true;
    } catch (error) {
      this.#started = null;
      throw error;
    }
  }

  /** Commands that are being executed, in words. */
  get underWay(): readonly string[] {
    const { count } = this.#parts.underWay;
    return count === 0 ? [] : [`${count} being executed`];
  }

  /** Refuses new commands and waits for those under way, and for their snapshots. May be called twice. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#parts.underWay.rested();
    await this.#appender.idle();
    await this.#snapshots.idle();
  }

  execute(command: object, options: ExecuteOptions = {}): Promise<CommandResult> {
    const { underWay } = this.#parts;
    underWay.enter();
    try {
      if (this.#stopped) throw new RetriableError('commands are stopped', { nextStep: 'Send it to a process that runs.' });
      const route = this.#registry.route(command);
      checkCommand(route.model.definition, route.handler, command, options);
      // Most commands wait for nothing before they run: one async function less.
      if (this.#isBound && !options.transaction) return this.#runOf(route, command, options, this.#place).run();
      return this.#executeLater(route, command, options);
    } catch (error) {
      underWay.leave();
      return refused(error);
    }
  }

  async #executeLater(route: CommandRoute, command: object, options: ExecuteOptions): Promise<CommandResult> {
    let run: CommandRun;
    try {
      // Also while a start is under way: topics are bound at its end.
      if (!this.#isBound) await this.start();
      const place = options.transaction ? await this.#placeIn(options.transaction) : this.#place;
      run = this.#runOf(route, command, options, place);
    } catch (error) {
      this.#parts.underWay.leave();
      throw error;
    }
    return run.run();
  }

  #runOf({ model, handler }: CommandRoute, command: object, options: ExecuteOptions, place: RunPlace): CommandRun {
    const address = model.address(
      options.tenant ?? null,
      (command as Readonly<Record<string, string>>)[model.definition.id] ?? '',
    );
    const target = new RunTarget(model, handler, command, options, address, this.#registry.topicId(model));
    return new CommandRun(target, this.#parts, place);
  }

  /**
   * The events of one stream, oldest first, upcast.
   * @throws KAPPA_UNKNOWN_AGGREGATE, KAPPA_BAD_NAME
   */
  async *readStream(aggregate: string, id: string, tenant: string | null = null): AsyncGenerator<AnyRecorded> {
    const model = this.#registry.model(aggregate);
    for await (const record of this.#parts.loader.records(this.#reads, model, model.address(tenant, id)))
      yield model.decode(record);
  }

  /** Not in turn: the caller's transaction may hold the very lock that the command before it waits for. */
  async #placeIn(transaction: OwnTransaction): Promise<RunPlace> {
    const own = new OwnTransactionAppender(transaction, this.options.database.schema);
    await own.begin(this.#parts.newId());
    return { reads: own.reads, append: (request) => own.append(request), shared: false };
  }
}

/** As an async function is refused. */
async function refused(error: unknown): Promise<never> {
  throw error;
}
