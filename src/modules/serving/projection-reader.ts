import { asRetriable, isDataError, isStatementOfNoUse, sqlState } from '../../database/database-errors.js';
import type { Database } from '../../database/database.js';
import type { TextRow } from '../../database/text-query.js';
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
import { pageStatement, STAMP, type SortTerm } from './read-statements.js';
import { Reader, type ListOptions, type Page, type ReadKey, type ReadOptions, type ReadStamp } from './reader.js';
import { keyColumns, keyTexts, tenantCondition, type KeyColumn } from './row-key.js';
import { RowStatement, type RowQuery } from './row-statement.js';
import { SharedReads } from './shared-reads.js';

/** What of a projection a reader needs: any of its versions' builders or definitions. */
export type ReadableProjection<Row> = Pick<
  ProjectionDefinition,
  'kind' | 'name' | 'version' | 'from' | 'tenant' | 'handlers'
> & { readonly table: Class<Row> };

/** Lines of one statement, the first with the stamp of all. */
interface Answer {
  readonly stamp: ReadStamp;
  readonly lines: readonly TextRow[];
}

/** One of several; its reader decodes it, so that what cannot be decoded is nobody else's. */
interface LineAnswer {
  readonly stamp: ReadStamp;
  readonly line: TextRow;
}

/** The build that the pointer named when it was last looked at, and how rows of it are read by key. */
interface Known {
  readonly live: LiveBuild;
  readonly statement: RowStatement;
}

/** Pointers flip seldom; a reader that meets this many flips in a row meets something else. */
const MAX_FLIPS = 8;

const UNDEFINED_TABLE = '42P01';

/** Reads one projection's live build; see {@link Reader}. */
export class ProjectionReader<Row> extends Reader<Row> {
  readonly codec: RowCodec;
  readonly #name: string;
  readonly #version: number;
  readonly #tenant: ColumnDefinition | null;
  readonly #key: readonly KeyColumn[];
  /** Where a line's own columns end. */
  readonly #stampAt: number;
  /** A column that is null in no row. */
  readonly #keyAt: number;
  readonly #rows = new SharedReads<readonly string[], LineAnswer>((keys) => this.#readLines(keys));
  #known: Known | null = null;
  /** Most answers are of the same position as the one before. */
  #lastStamp: { readonly live: LiveBuild; readonly text: string; readonly stamp: ReadStamp } | null = null;

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
    this.#stampAt = this.codec.table.columns.length;
    this.#keyAt = this.codec.table.columns.findIndex(({ isKey }) => isKey);
  }

  async get(key: ReadKey<Row>, options: ReadOptions = {}): Promise<Data<Row> | null> {
    return (await this.read(key, options)).row;
  }

  async read(
    key: ReadKey<Row>,
    options: ReadOptions = {},
  ): Promise<{ readonly row: Data<Row> | null; readonly stamp: ReadStamp }> {
    const tenant = tenantCondition(this.#name, this.#tenant, options.tenant);
    const texts = keyTexts(this.#name, this.#key, tenant, key);
    const { stamp, line } = await this.#reached(options, () => this.#rows.read(texts));
    return { stamp, row: line[this.#keyAt] === null ? null : (this.codec.decode(line) as Data<Row>) };
  }

  async list(options: ListOptions<Row> = {}): Promise<Page<Row>> {
    const { table } = this.codec;
    const tenant = tenantCondition(this.#name, this.#tenant, options.tenant);
    const { query, scope } = checkList(this.#name, table, tenant, options);
    const { stamp, lines } = await this.#reached(options, () =>
      this.#snapshot(({ live }) => {
        const { text, values } = pageStatement(this.#name, this.database.schema, live, table, query);
        return this.#query({ text }, values);
      }),
    ).catch((error: unknown) => {
      // What the caller gave was checked; only the values within a cursor were not.
      throw query.after !== null && isDataError(error) ? badCursor('holds values that no row can have', error) : error;
    });
    const texts = lines.filter((line) => line[this.#keyAt] !== null);
    const rows = texts.map((line) => this.codec.decode(line));
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
  async #reached<T extends { readonly stamp: ReadStamp }>(options: ReadOptions, read: () => Promise<T>): Promise<T> {
    const { at } = options;
    if (at === undefined) return read();
    const deadline = Date.now() + (options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
    for (let flips = 0; flips < MAX_FLIPS; flips += 1) {
      const answer = await read().catch((error: unknown) => {
        if (error instanceof KappaError && error.code === 'KAPPA_NO_LIVE_BUILD') return null;
        throw error;
      });
      if (answer !== null && covers(answer.stamp.position, relevantPart(at, answer.stamp.position, this.#name))) return answer;
      await this.watch.waitFor(this.#name, at, { timeoutMs: Math.max(0, deadline - Date.now()) });
    }
    throw swappedAgain(this.#name);
  }

  /** Lines in the order of their keys, all of one snapshot. */
  async #readLines(keys: readonly (readonly string[])[]): Promise<readonly LineAnswer[]> {
    const { stamp, lines } = await this.#snapshot((known) => this.#askLines(known, keys));
    return keys.map((_, n) => ({ stamp, line: lines[n] as TextRow }));
  }

  async #askLines({ statement }: Known, keys: readonly (readonly string[])[]): Promise<readonly TextRow[]> {
    const query = statement.query(keys.length, performance.now());
    const lines = inOrder(await this.#query(query, statement.values(this.#name, keys)), this.#stampAt + STAMP.line);
    const sizes = query.name === undefined ? lines[0]?.[this.#stampAt + STAMP.sizes] : undefined;
    if (typeof sizes === 'string') statement.sizesSeen(sizes, performance.now());
    return lines;
  }

  /** One statement, so one snapshot; again with the table that the pointer names when it is another than was known. */
  async #snapshot(ask: (known: Known) => Promise<readonly TextRow[]>): Promise<Answer> {
    for (let flips = 0; flips < MAX_FLIPS; flips += 1) {
      const known = (this.#known ??= await this.#resolve());
      const { live } = known;
      const lines = await this.#linesOrNull(ask, known, flips);
      const first = lines?.[0];
      if (lines !== null && first === undefined) throw this.#forget(noLiveBuild(this.#name));
      if (lines !== null && first !== undefined && Number(first[this.#stampAt + STAMP.build]) === live.id)
        return { stamp: this.#stamp(live, first[this.#stampAt + STAMP.position] ?? ''), lines };
      // Others may have resolved it while this was under way.
      if (this.#known === known) this.#known = null;
    }
    throw swappedAgain(this.#name);
  }

  /** Null when the table, or the statement that was kept for it, is of no use any more. */
  async #linesOrNull(
    ask: (known: Known) => Promise<readonly TextRow[]>,
    known: Known,
    flips: number,
  ): Promise<readonly TextRow[] | null> {
    try {
      return await ask(known);
    } catch (error) {
      const state = sqlState(error) ?? '';
      if ((state === UNDEFINED_TABLE || isStatementOfNoUse(error)) && flips < MAX_FLIPS - 1) return null;
      throw asRetriable(error, `reading projection ${this.#name}`);
    }
  }

  #stamp(live: LiveBuild, position: string): ReadStamp {
    const last = this.#lastStamp;
    if (last?.live === live && last.text === position) return last.stamp;
    const stamp = Object.freeze({ version: live.version, build: live.number, position: Object.freeze(progressOf(position)) });
    this.#lastStamp = { live, text: position, stamp };
    return stamp;
  }

  async #resolve(): Promise<Known> {
    const { schema } = this.database;
    try {
      const live = await findLiveBuild(this.database, this.#name, this.#version, this.codec.table);
      return {
        live,
        statement: new RowStatement(
          schema,
          live,
          this.codec.table,
          this.#key.map(({ column }) => column),
        ),
      };
    } catch (error) {
      throw asRetriable(error, `reading projection ${this.#name}`);
    }
  }

  #forget(error: KappaError): KappaError {
    this.#known = null;
    return error;
  }

  async #query(query: RowQuery, values: readonly (string | null)[]): Promise<readonly TextRow[]> {
    const connection = await this.database.connect();
    try {
      const { name, text } = query;
      const lines = await connection.texts(name === undefined ? { text, values } : { name, text, values });
      connection.release();
      return lines;
    } catch (error) {
      connection.release(sqlState(error) === null || isStatementOfNoUse(error));
      throw error;
    }
  }
}

/** Lines of several keys come in any order. */
function inOrder(lines: readonly TextRow[], at: number): readonly TextRow[] {
  if (lines.length < 2) return lines;
  const ordered = new Array<TextRow>(lines.length);
  for (const line of lines) ordered[Number(line[at]) - 1] = line;
  return ordered;
}

function swappedAgain(projection: string): RetriableError {
  return new RetriableError(`projection ${projection} was swapped again and again while it was read`, {
    facts: { projection },
  });
}

function placeOf(sort: readonly SortTerm[], columns: readonly ColumnDefinition[], row: TextRow): CursorPlace {
  return sort.map(({ column }) => row[columns.indexOf(column)] ?? null);
}
