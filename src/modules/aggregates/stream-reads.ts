import { asRetriable, isTransient } from '../../database/database-errors.js';
import type { Statement } from '../../database/database.js';
import { StreamStatements, type LoadRow, type PageBounds, type PageWish } from './stream-statements.js';

/** The slice of a connection that reads: our pool, or the caller's own transaction. */
export type Rows = <Row extends object>(statement: Statement) => Promise<readonly Row[]>;

/** Where a stream is read from. */
export interface StreamReads {
  /** The next page of a stream; at least one row, at least one event where there are more. @throws RetriableError */
  page(wish: PageWish): Promise<readonly LoadRow[]>;
  rows: Rows;
}

const PAGE: PageBounds = { records: 1_000, bytes: 4 * 1024 * 1024 };
/** So that a group of streams stays below some megabytes; whoever has more goes on alone. */
const SHARED_PAGE: PageBounds = { records: 128, bytes: 64 * 1024 };
const GROUP_STREAMS = 64;
const CONCURRENT_GROUPS = 2;

/** Reads one stream at a time. */
export class DirectReads implements StreamReads {
  readonly #statements: StreamStatements;

  constructor(
    schema: string,
    readonly rows: Rows,
  ) {
    this.#statements = new StreamStatements(schema);
  }

  async page(wish: PageWish): Promise<readonly LoadRow[]> {
    try {
      return await this.rows<LoadRow>(this.#statements.load([wish], PAGE));
    } catch (error) {
      throw asRetriable(error, `the load of ${wish.stream}`);
    }
  }
}

class Waiting {
  constructor(
    readonly wish: PageWish,
    readonly resolve: (rows: readonly LoadRow[]) => void,
    readonly reject: (error: unknown) => void,
  ) {}
}

/**
 * Reads the streams that are asked for at the same time with one statement: while one is under way, the next gathers. An import
 * of streams that nobody has loaded yet goes four times as fast.
 */
export class SharedReads implements StreamReads {
  readonly #statements: StreamStatements;
  readonly #direct: DirectReads;
  #waiting: Waiting[] = [];
  #underWay = 0;
  #scheduled = false;

  constructor(
    schema: string,
    readonly rows: Rows,
  ) {
    this.#statements = new StreamStatements(schema);
    this.#direct = new DirectReads(schema, rows);
  }

  page(wish: PageWish): Promise<readonly LoadRow[]> {
    // Later pages belong to a long stream, or to one that is known up to there: they would only hold up the short ones.
    if (wish.after > 0) return this.#direct.page(wish);
    return new Promise((resolve, reject) => {
      this.#waiting.push(new Waiting(wish, resolve, reject));
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    process.nextTick(() => {
      this.#scheduled = false;
      while (this.#underWay < CONCURRENT_GROUPS && this.#waiting.length > 0)
        void this.#read(this.#waiting.splice(0, GROUP_STREAMS));
    });
  }

  async #read(group: readonly Waiting[]): Promise<void> {
    this.#underWay += 1;
    try {
      const rows = await this.rows<LoadRow>(
        this.#statements.load(
          group.map(({ wish }) => wish),
          SHARED_PAGE,
        ),
      );
      const pages: LoadRow[][] = group.map(() => []);
      for (const row of rows) pages[row.number - 1]?.push(row);
      group.forEach(({ resolve }, index) => resolve(pages[index] ?? []));
    } catch (error) {
      // What one stream's data has brought about must not fail its neighbours.
      if (group.length === 1 || isTransient(error))
        for (const { wish, reject } of group) reject(asRetriable(error, `the load of ${wish.stream}`));
      else for (const { wish, resolve, reject } of group) this.#direct.page(wish).then(resolve, reject);
    } finally {
      this.#underWay -= 1;
      if (this.#waiting.length > 0) this.#schedule();
    }
  }
}
