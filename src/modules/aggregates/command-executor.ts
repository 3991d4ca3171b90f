import { randomUUID } from 'node:crypto';
import type { Database } from '../../database/database.js';
import { jsonCodec, type Codec } from '../../kernel/codec.js';
import { RetriableError } from '../../kernel/errors.js';
import type { AnyRecorded } from '../../kernel/event.js';
import { silentLogger, type Logger } from '../../kernel/logger.js';
import type { AppendSignal, EventLog } from '../../log/event-log.js';
import { AggregateRegistry } from './aggregate-registry.js';
import type { AggregateDefinition, Inject } from './aggregate.js';
import { Appender, type AppenderLimits } from './appender.js';
import { checkCommand } from './command-check.js';
import { CommandRun, type RunPlace } from './command-run.js';
import { Commands, type CommandResult, type ExecuteOptions, type OwnTransaction } from './command.js';
import { OwnTransactionAppender } from './own-transaction.js';
import { FoundingGuess } from './founding-guess.js';
import type { RunParts } from './run-target.js';
import { SnapshotWriter } from './snapshots.js';
import { StateCache } from './state-cache.js';
import { StreamLoader } from './stream-loader.js';
import { SharedReads } from './stream-reads.js';
import { StreamTurns } from './stream-turns.js';

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
  /** Only counted: sets that are filled and emptied all the time hold what was in them until the old generation is swept. */
  #underWay = 0;
  #rested: (() => void)[] = [];
  #started: Promise<void> | null = null;
  #isBound = false;
  #stopped = false;

  constructor(private readonly options: CommandExecutorOptions) {
    super();
    const { database, log, codec = jsonCodec, logger = silentLogger } = options;
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
      founding: new FoundingGuess(),
      snapshots: this.#snapshots,
      inject: options.inject,
      clock: options.clock ?? (() => new Date()),
      newId: options.newId ?? randomUUID,
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
    return this.#underWay === 0 ? [] : [`${this.#underWay} being executed`];
  }

  /** Refuses new commands and waits for those under way, and for their snapshots. May be called twice. */
  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#underWay > 0) await new Promise<void>((resolve) => this.#rested.push(resolve));
    await this.#appender.idle();
    await this.#snapshots.idle();
  }

  async execute(command: object, options: ExecuteOptions = {}): Promise<CommandResult> {
    if (this.#stopped) throw new RetriableError('commands are stopped', { nextStep: 'Send it to a process that runs.' });
    this.#underWay += 1;
    try {
      const { model, handler } = this.#registry.route(command);
      checkCommand(model.definition, handler, command, options);
      // Also while a start is under way: topics are bound at its end.
      if (!this.#isBound) await this.start();
      const address = model.address(
        options.tenant ?? null,
        (command as Readonly<Record<string, string>>)[model.definition.id] ?? '',
      );
      const target = { model, handler, command, options, address, topicId: this.#registry.topicId(model) };
      const place = options.transaction ? await this.#placeIn(options.transaction) : this.#place;
      return await new CommandRun(target, this.#parts, place).run();
    } finally {
      this.#underWay -= 1;
      if (this.#underWay === 0) for (const resolve of this.#rested.splice(0)) resolve();
    }
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
