import { asRetriable, isDataError, sqlState } from '../../database/database-errors.js';
import type { Database } from '../../database/database.js';
import { textTypes } from '../../database/system-types.js';
import { KappaError, RetriableError } from '../../kernel/errors.js';
import { covers, type Position } from '../../kernel/position.js';
import type { Class, Data } from '../../kernel/types.js';
import type { ProjectionDefinition } from '../projections/projection.js';
import { createRowCodec } from '../projections/row-codec.js';
import { tableDefinition } from '../projections/table-definition.js';
import type { ColumnDefinition, RowCodec } from '../projections/table.js';
import { badCursor, encodeCursor, type CursorPlace } from './cursor.js';
import { checkList } from './list-query.js';
import { findLiveBuild, noLiveBuild, progressOf, type LiveBuild } from './live-build.js';
import { DEFAULT_TIMEOUT_MS, relevantPart, type ProgressWatch } from './progress-watch.js';
import { pageStatement, rowStatement, STAMP_COLUMNS, type ReadStatement, type SortTerm } from './read-statements.js';
import { Reader, type ListOptions, type Page, type ReadKey, type ReadOptions, type ReadStamp } from './reader.js';
import { keyConditions, tenantCondition } from './row-key.js';

/** What of a projection a reader needs: any of its versions' builders or definitions. */
export type ReadableProjection<Row> = Pick<
  ProjectionDefinition,
  'kind' | 'name' | 'version' | 'from' | 'tenant' | 'handlers'
> & { readonly table: Class<Row> };

type TextRow = readonly (string | null)[];

/** Pointers flip seldom; a reader that meets this many flips in a row meets something else. */
const MAX_FLIPS = 8;

const UNDEFINED_TABLE = '42P01';

/** Reads one projection's live build; see {@link Reader}. */
export class ProjectionReader<Row> extends Reader<Row> {
  readonly codec: RowCodec;
  readonly #name: string;
  readonly #version: number;
  readonly #tenant: ColumnDefinition | null;
  #live: LiveBuild | null = null;

  /** @throws KAPPA_BAD_TABLE for an entity that cannot be a projection's table. */
  constructor(
    projection: ReadableProjection<Row>,
    private readonly database: Database,
    private readonly watch: ProgressWatch,
  ) {
    super();
    this.codec = createRowCodec(tableDefinition(projection as unknown as ProjectionDefinition));
    this.#name = projection.name;
    this.#version = projection.version;
    this.#tenant = this.codec.table.columns.find(({ property }) => property === projection.tenant) ?? null;
  }

  async get(key: ReadKey<Row>, options: ReadOptions = {}): Promise<Data<Row> | null> {
    return (await this.read(key, options)).row;
  }

  async read(
    key: ReadKey<Row>,
    options: ReadOptions = {},
  ): Promise<{ readonly row: Data<Row> | null; readonly stamp: ReadStamp }> {
    const { table } = this.codec;
    const tenant = tenantCondition(this.#name, this.#tenant, options.tenant);
    const conditions = keyConditions(this.#name, table, tenant, key);
    const { stamp, rows } = await this.#answer(options, (live) =>
      rowStatement(this.#name, this.database.schema, live, table, conditions),
    );
    return { row: (rows[0] ?? null) as Data<Row> | null, stamp };
  }

  async list(options: ListOptions<Row> = {}): Promise<Page<Row>> {
    const { table } = this.codec;
    const tenant = tenantCondition(this.#name, this.#tenant, options.tenant);
    const { query, scope } = checkList(this.#name, table, tenant, options);
    const { stamp, rows, texts } = await this.#answer(options, (live) =>
      pageStatement(this.#name, this.database.schema, live, table, query),
    ).catch((error: unknown) => {
      // What the caller gave was checked; only the values within a cursor were not.
      throw query.after !== null && isDataError(error) ? badCursor('holds values that no row can have', error) : error;
    });
    const more = rows.length > query.limit;
    const last = more ? texts[query.limit - 1] : undefined;
    return {
      rows: (more ? rows.slice(0, query.limit) : rows) as readonly Data<Row>[],
      cursor: last === undefined ? null : encodeCursor(scope, placeOf(query.sort, table.columns, last)),
      stamp,
    };
  }

  async waitFor(
    position: Position,
    options: { readonly timeoutMs?: number; readonly signal?: AbortSignal } = {},
  ): Promise<void> {
    await this.watch.waitFor(this.#name, position, options);
  }

  /** An answer that has reached `at`: read first, since mostly it has; wait only where it has not. */
  async #answer(
    options: ReadOptions,
    statement: (live: LiveBuild) => ReadStatement,
  ): Promise<{ stamp: ReadStamp; rows: readonly object[]; texts: readonly TextRow[] }> {
    const { at } = options;
    const deadline = Date.now() + (options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
    for (let flips = 0; flips < MAX_FLIPS; flips += 1) {
      const answer = await this.#snapshot(statement).catch((error: unknown) => {
        if (at !== undefined && error instanceof KappaError && error.code === 'KAPPA_NO_LIVE_BUILD') return null;
        throw error;
      });
      if (
        answer !== null &&
        (at === undefined || covers(answer.stamp.position, relevantPart(at, answer.stamp.position, this.#name)))
      )
        return answer;
      await this.watch.waitFor(this.#name, at ?? {}, { timeoutMs: Math.max(0, deadline - Date.now()) });
    }
    throw swappedAgain(this.#name);
  }

  /** One statement, so one snapshot; again with the table that the pointer names when it is another than was known. */
  async #snapshot(
    statement: (live: LiveBuild) => ReadStatement,
  ): Promise<{ stamp: ReadStamp; rows: readonly object[]; texts: readonly TextRow[] }> {
    for (let flips = 0; flips < MAX_FLIPS; flips += 1) {
      const live = (this.#live ??= await this.#resolve());
      const lines = await this.#query(statement(live)).catch((error: unknown) => {
        if (sqlState(error) === UNDEFINED_TABLE && flips < MAX_FLIPS - 1) return null;
        throw asRetriable(error, `reading projection ${this.#name}`);
      });
      const [first] = lines ?? [];
      if (lines !== null && first === undefined) throw this.#forget(noLiveBuild(this.#name));
      if (lines !== null && first !== undefined && Number(first[0]) === live.id) return this.#decode(live, first, lines);
      this.#live = null;
    }
    throw swappedAgain(this.#name);
  }

  async #resolve(): Promise<LiveBuild> {
    try {
      return await findLiveBuild(this.database, this.#name, this.#version, this.codec.table);
    } catch (error) {
      throw asRetriable(error, `reading projection ${this.#name}`);
    }
  }

  #forget(error: KappaError): KappaError {
    this.#live = null;
    return error;
  }

  async #query(statement: ReadStatement): Promise<readonly TextRow[]> {
    const connection = await this.database.connect();
    try {
      const { rows } = await connection.raw.query<(string | null)[]>({
        text: statement.text,
        values: [...statement.values],
        rowMode: 'array',
        types: textTypes,
      });
      connection.release();
      return rows;
    } catch (error) {
      connection.release(sqlState(error) === null);
      throw error;
    }
  }

  #decode(
    live: LiveBuild,
    first: TextRow,
    lines: readonly TextRow[],
  ): { stamp: ReadStamp; rows: readonly object[]; texts: readonly TextRow[] } {
    const key = this.codec.table.columns.findIndex(({ isKey }) => isKey);
    const texts = lines.map((line) => line.slice(STAMP_COLUMNS)).filter((line) => line[key] !== null);
    return {
      stamp: { version: live.version, build: live.number, position: progressOf(first[3] ?? null) },
      rows: texts.map((line) => this.codec.decode(line)),
      texts,
    };
  }
}

function swappedAgain(projection: string): RetriableError {
  return new RetriableError(`projection ${projection} was swapped again and again while it was read`, {
    facts: { projection },
  });
}

function placeOf(sort: readonly SortTerm[], columns: readonly ColumnDefinition[], row: TextRow): CursorPlace {
  return sort.map(({ column }) => row[columns.indexOf(column)] ?? null);
}
