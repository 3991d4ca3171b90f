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
import { pageStatement, STAMP_COLUMNS, type ReadStatement, type SortTerm } from './read-statements.js';
import { Reader, type ListOptions, type Page, type ReadKey, type ReadOptions, type ReadStamp } from './reader.js';
import { keyColumns, keyTexts, tenantCondition } from './row-key.js';
import { RowStatement } from './row-statement.js';

/** What of a projection a reader needs: any of its versions' builders or definitions. */
export type ReadableProjection<Row> = Pick<
  ProjectionDefinition,
  'kind' | 'name' | 'version' | 'from' | 'tenant' | 'handlers'
> & { readonly table: Class<Row> };

type TextRow = readonly (string | null)[];

interface Answer {
  readonly stamp: ReadStamp;
  readonly rows: readonly object[];
  readonly texts: readonly TextRow[];
}

/** The build that the pointer named when it was last looked at, and how one row of it is read. */
interface Known {
  readonly live: LiveBuild;
  readonly row: RowStatement;
}

/** Pointers flip seldom; a reader that meets this many flips in a row meets something else. */
const MAX_FLIPS = 8;

const UNDEFINED_TABLE = '42P01';
/** A kept statement that no longer fits what it was planned for (0A000), or that somebody else has thrown away (26000). */
const STATEMENT_OF_NO_USE = new Set(['0A000', '26000']);

/** Names on one connection that are never used again: of builds that were swapped away, and of sizes that were outgrown. */
const MAX_NAMES = 32;

/** Reads one projection's live build; see {@link Reader}. */
export class ProjectionReader<Row> extends Reader<Row> {
  readonly codec: RowCodec;
  readonly #name: string;
  readonly #version: number;
  readonly #tenant: ColumnDefinition | null;
  readonly #key: readonly ColumnDefinition[];
  #known: Known | null = null;
  /** What this reader has prepared on each connection. */
  readonly #names = new WeakMap<object, Set<string>>();

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
    this.#key = keyColumns(this.codec.table, this.#tenant);
  }

  async get(key: ReadKey<Row>, options: ReadOptions = {}): Promise<Data<Row> | null> {
    return (await this.read(key, options)).row;
  }

  async read(
    key: ReadKey<Row>,
    options: ReadOptions = {},
  ): Promise<{ readonly row: Data<Row> | null; readonly stamp: ReadStamp }> {
    const tenant = tenantCondition(this.#name, this.#tenant, options.tenant);
    const values = [this.#name, ...keyTexts(this.#name, this.#key, tenant, key)];
    const { stamp, rows } = await this.#answer(options, (known) => this.#row(known, values));
    return { row: (rows[0] ?? null) as Data<Row> | null, stamp };
  }

  async list(options: ListOptions<Row> = {}): Promise<Page<Row>> {
    const { table } = this.codec;
    const tenant = tenantCondition(this.#name, this.#tenant, options.tenant);
    const { query, scope } = checkList(this.#name, table, tenant, options);
    const { stamp, rows, texts } = await this.#answer(options, ({ live }) =>
      this.#query(pageStatement(this.#name, this.database.schema, live, table, query)),
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
  async #answer(options: ReadOptions, ask: (known: Known) => Promise<readonly TextRow[]>): Promise<Answer> {
    const { at } = options;
    const deadline = Date.now() + (options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
    for (let flips = 0; flips < MAX_FLIPS; flips += 1) {
      const answer = await this.#snapshot(ask).catch((error: unknown) => {
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
  async #snapshot(ask: (known: Known) => Promise<readonly TextRow[]>): Promise<Answer> {
    for (let flips = 0; flips < MAX_FLIPS; flips += 1) {
      const known = (this.#known ??= await this.#resolve());
      const { live } = known;
      const lines = await ask(known).catch((error: unknown) => {
        const state = sqlState(error) ?? '';
        if ((state === UNDEFINED_TABLE || STATEMENT_OF_NO_USE.has(state)) && flips < MAX_FLIPS - 1) return null;
        throw asRetriable(error, `reading projection ${this.#name}`);
      });
      const [first] = lines ?? [];
      if (lines !== null && first === undefined) throw this.#forget(noLiveBuild(this.#name));
      if (lines !== null && first !== undefined && Number(first[0]) === live.id) return this.#decode(live, first, lines);
      this.#known = null;
    }
    throw swappedAgain(this.#name);
  }

  async #resolve(): Promise<Known> {
    const { schema } = this.database;
    try {
      const live = await findLiveBuild(this.database, this.#name, this.#version, this.codec.table);
      return { live, row: new RowStatement(schema, live, this.codec.table, this.#key) };
    } catch (error) {
      throw asRetriable(error, `reading projection ${this.#name}`);
    }
  }

  #forget(error: KappaError): KappaError {
    this.#known = null;
    return error;
  }

  async #row({ row }: Known, values: readonly string[]): Promise<readonly TextRow[]> {
    const query = row.query(performance.now());
    const lines = await this.#query({ ...query, values });
    const sizes = query.name === undefined ? lines[0]?.at(-1) : undefined;
    if (typeof sizes === 'string') row.sizesSeen(sizes, performance.now());
    return lines;
  }

  async #query(statement: ReadStatement & { readonly name?: string }): Promise<readonly TextRow[]> {
    const connection = await this.database.connect();
    try {
      const { rows } = await connection.raw.query<(string | null)[]>({
        ...statement,
        values: statement.values as (string | number | null)[],
        rowMode: 'array',
        types: textTypes,
      });
      connection.release(statement.name !== undefined && this.#leavesTooMany(connection.raw, statement.name));
      return rows;
    } catch (error) {
      const state = sqlState(error);
      connection.release(state === null || STATEMENT_OF_NO_USE.has(state));
      throw error;
    }
  }

  /** A connection is closed when it keeps too many statements: a name is left behind by every swap and every growth. */
  #leavesTooMany(connection: object, name: string): boolean {
    let names = this.#names.get(connection);
    if (names === undefined) this.#names.set(connection, (names = new Set()));
    return names.size !== names.add(name).size && names.size > MAX_NAMES;
  }

  #decode(live: LiveBuild, first: TextRow, lines: readonly TextRow[]): Answer {
    const { columns } = this.codec.table;
    const key = columns.findIndex(({ isKey }) => isKey);
    const texts = lines.map((line) => line.slice(STAMP_COLUMNS)).filter((line) => line[key] !== null);
    return {
      stamp: { version: live.version, build: live.number, position: progressOf(first[1] ?? null) },
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
