import type { Database } from '../../src/database/database.js';
import { topicName } from '../../src/kernel/names.js';
import type { Build, BuildState } from '../../src/modules/projections/build.js';
import { BuildStore } from '../../src/modules/projections/build-store.js';
import { createBuildTable } from '../../src/modules/projections/build-table.js';
import type { Row } from '../../src/modules/projections/projection.js';
import type { ColumnDefinition, TableDefinition } from '../../src/modules/projections/table.js';
import { freshDatabase, type FreshDatabase } from './fresh-database.js';

export function column(name: string, type: string, more: Partial<ColumnDefinition> = {}): ColumnDefinition {
  return { property: name, name, type, value: 'string', nullable: false, isKey: false, default: null, oneOf: null, ...more };
}

export const ID = column('id', 'text', { isKey: true });
export const PAID = column('paid', 'numeric(12,2)');

export function tableOf(...columns: readonly ColumnDefinition[]): TableDefinition {
  return { columns, key: columns.filter((one) => one.isKey).map((one) => one.property), indexes: [] };
}

export interface BuildRequest {
  readonly version?: number;
  readonly table?: TableDefinition;
  readonly rows?: readonly Row[];
  readonly offsets?: readonly number[];
  readonly state?: 'building' | 'catching-up' | 'ready';
  readonly topic?: string;
}

/** Builds as they stand when runners have brought them somewhere; no runner is needed to swap them. */
export class SwapScene {
  readonly store: BuildStore;

  private constructor(
    readonly fresh: FreshDatabase,
    readonly database: Database,
  ) {
    this.store = new BuildStore(database);
  }

  static async start(options: Parameters<typeof freshDatabase>[0] = {}): Promise<SwapScene> {
    const fresh = await freshDatabase(options);
    return new SwapScene(fresh, fresh.database);
  }

  get context(): { readonly database: Database; readonly builds: BuildStore } {
    return { database: this.database, builds: this.store };
  }

  /** A build with a table, rows and progress, moved to its state. */
  async build(projection: string, request: BuildRequest = {}): Promise<Build> {
    const { version = 1, table = tableOf(ID, PAID), rows = [], offsets = [0, 0], state = 'ready', topic = 'fines' } = request;
    const build = await this.store.create({
      projection,
      version,
      shape: {
        columns: table.columns.map(({ name, type, nullable, default: byDefault }) => ({
          name,
          type,
          nullable,
          default: byDefault,
        })),
        key: [...table.key],
        topics: [{ name: topic, partitions: offsets.length }],
        events: [],
      },
      code: 'code',
      swapWhenReady: false,
      swapGroup: null,
      state: 'building',
      topics: [
        {
          description: { name: topicName(topic), partitions: offsets.length, retention: null, incarnation: 'one' },
          begins: offsets,
        },
      ],
      log: { driver: 'memory', cluster: 'here' },
    });
    const built = createBuildTable(this.database.schema, build.tableName, table);
    await built.create(this.database);
    await built.createKey(this.database);
    await built.upsert(
      this.database,
      rows.map((row) => built.codec.canonical(row)),
    );
    const states: readonly BuildState[] = ['building', 'catching-up', 'ready'];
    let moved = build;
    for (const next of states.slice(1, states.indexOf(state) + 1)) moved = await this.store.move(build.id, next);
    return moved;
  }

  /** One event taken in by a build, as its runner would. */
  async advance(build: Build, partition: number, to: number): Promise<void> {
    await this.database.query('update progress set next_offset = $3 where build_id = $1 and partition = $2', [
      build.id,
      partition,
      to,
    ]);
  }

  async view<R extends object = Row>(projection: string): Promise<readonly R[]> {
    return (await this.database.query<R>(`select * from public."${projection}" order by 1`)).rows;
  }

  stop(): Promise<void> {
    return this.fresh.stop();
  }
}

/** Resolves when `database` has a backend that waits for a lock on what `statement` names. */
export async function someoneWaitsForALock(database: Database): Promise<void> {
  for (;;) {
    const { rows } = await database.query(
      `select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`,
    );
    if (rows.length > 0) return;
  }
}
