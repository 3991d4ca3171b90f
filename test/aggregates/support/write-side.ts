import type { Class } from '../../../src/kernel/types.js';
import { Database } from '../../../src/database/database.js';
import { PostgresLog } from '../../../src/log/postgres/postgres-log.js';
import type { AggregateDefinition } from '../../../src/modules/aggregates/aggregate.js';
import { CommandExecutor, type CommandExecutorOptions } from '../../../src/modules/aggregates/command-executor.js';
import { createMigratedDatabase } from '../../../src/testing/migrated-database.js';
import { counter } from './counter.js';

export type ExecutorOptions = Partial<Omit<CommandExecutorOptions, 'database' | 'log'>> & {
  /** Default: the database's own, past any proxy. */
  readonly url?: string;
  readonly poolSize?: number;
};

export interface Writer {
  readonly commands: CommandExecutor;
  readonly database: Database;
  readonly log: PostgresLog;
}

/** A database of its own, and as many executors on it as a test needs, each with its own connections, as processes have them. */
export class WriteSide {
  readonly #stops: (() => Promise<void>)[] = [];

  private constructor(
    readonly url: string,
    /** Past any proxy. */
    readonly database: Database,
  ) {}

  static async start(): Promise<WriteSide> {
    const made = await createMigratedDatabase();
    const database = new Database({ url: made.url });
    const side = new WriteSide(made.url, database);
    side.#stops.push(
      () => made.drop(),
      () => database.stop(),
    );
    return side;
  }

  async executor(options: ExecutorOptions = {}): Promise<CommandExecutor> {
    return (await this.writer(options)).commands;
  }

  async writer({ url = this.url, poolSize = 4, ...options }: ExecutorOptions = {}): Promise<Writer> {
    const database = new Database({ url, poolSize });
    const log = new PostgresLog(database);
    await log.start();
    const aggregates: readonly AggregateDefinition[] = options.aggregates ?? [counter];
    const commands = new CommandExecutor({ database, log, inject: noServices, ...options, aggregates });
    await commands.start();
    this.#stops.push(async () => {
      await commands.stop();
      await log.stop();
      await database.stop();
    });
    return { commands, database, log };
  }

  /** What is in the log and contradicts it: holes in offsets, gaps in versions, times that run backwards. */
  async contradictions(): Promise<readonly string[]> {
    const { rows } = await this.database.query<{ what: string }>(CONTRADICTIONS);
    return rows.map(({ what }) => what);
  }

  /** The sum of all that was added, stream by stream, straight from the records. */
  async sums(): Promise<Readonly<Record<string, number>>> {
    const { rows } = await this.database.query<{ stream: string; sum: number }>(SUMS);
    return Object.fromEntries(rows.map(({ stream, sum }) => [stream, sum]));
  }

  async stop(): Promise<void> {
    for (const stop of this.#stops.splice(0).reverse()) await stop();
  }
}

const CONTRADICTIONS = `
  select 'offsets of ' || topic_id || '/' || partition || ' have holes' as what
  from log_records group by topic_id, partition having max("offset") + 1 <> count(*)
  union all
  select 'versions of ' || stream || ' have gaps'
  from log_records where stream is not null group by stream having max(version) <> count(*)
  union all
  select 'versions of ' || stream || ' do not follow offsets'
  from (select stream, version, lag(version) over (partition by stream order by "offset") as before from log_records) v
  where before >= version
  union all
  select 'time of ' || topic_id || '/' || partition || ' runs backwards at ' || "offset"
  from (select *, lag(recorded_at) over (partition by topic_id, partition order by "offset") as before from log_records) t
  where before > recorded_at`;

const SUMS = `
  select stream, sum((convert_from(value, 'UTF8')::json ->> 'n')::int)::int as sum
  from log_records where event_type = 'counter.added' group by stream`;

function noServices<T>(token: Class<T>): T {
  throw new Error(`nothing gives ${token.name}`);
}

export async function collect<T>(items: AsyncIterable<T>): Promise<readonly T[]> {
  const collected: T[] = [];
  for await (const item of items) collected.push(item);
  return collected;
}
