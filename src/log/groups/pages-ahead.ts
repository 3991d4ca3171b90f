import { partitionKey, type PartitionKey } from '../../kernel/position.js';
import type { Page, PageSource, PageWish } from '../page-source.js';

interface Ahead {
  readonly wish: PageWish;
  readonly page: Promise<Page>;
}

/**
 * Pages of one member that are read while it works on those before them, so that neither waits for the other. The log only grows,
 * so that what was read of a partition stays true; not where the log fails meanwhile, which may come back without its last records,
 * or where the partition is lost: then what is there is dropped.
 */
export class PagesAhead {
  readonly #ahead = new Map<PartitionKey, Ahead>();
  #reading: Promise<void> = Promise.resolve();

  constructor(private readonly log: Pick<PageSource, 'pages'>) {}

  /** Begins to read these. What goes wrong is told to who asks for them. */
  begin(wishes: readonly PageWish[]): void {
    if (wishes.length === 0) return;
    const before = this.#reading;
    const pages = this.log.pages(wishes);
    pages.catch(() => this.#ahead.clear());
    this.#reading = pages.then(
      () => before,
      () => before,
    );
    wishes.forEach((wish, index) => {
      const page = pages.then((all) => all[index] as Page);
      page.catch(() => undefined);
      this.#ahead.set(partitionKey(wish.topic, wish.partition), { wish, page });
    });
  }

  /** One page for each wish, in their order: those that were begun, and the others asked for now, in one snapshot. */
  async pages(wishes: readonly PageWish[]): Promise<readonly Page[]> {
    const begun = wishes.map((wish) => this.#take(wish));
    const missing = wishes.filter((_, index) => begun[index] === null);
    try {
      const fetched = missing.length > 0 ? [...(await this.log.pages(missing))] : [];
      return await Promise.all(begun.map(async (page) => page ?? (fetched.shift() as Page)));
    } catch (error) {
      this.#ahead.clear();
      throw error;
    }
  }

  /** Of partitions that are read no more. */
  drop(keys: readonly PartitionKey[]): void {
    for (const key of keys) this.#ahead.delete(key);
  }

  /** Resolves when nothing is being read, whatever came of it. */
  async settled(): Promise<void> {
    await this.#reading;
  }

  /** Dropped where it is of another place, or of another size than what is wished for now: too much, or not even half of it. */
  #take(wish: PageWish): Promise<Page> | null {
    const key = partitionKey(wish.topic, wish.partition);
    const ahead = this.#ahead.get(key);
    this.#ahead.delete(key);
    if (ahead?.wish.from !== wish.from) return null;
    const { maxRecords, maxBytes } = ahead.wish;
    if (maxRecords > wish.maxRecords || maxBytes > wish.maxBytes) return null;
    return 2 * maxRecords >= wish.maxRecords && 2 * maxBytes >= wish.maxBytes ? ahead.page : null;
  }
}
