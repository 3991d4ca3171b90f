import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { quantile } from '../result.js';

/** What a process of the latency bench is told. */
export interface LatencyPart {
  readonly databaseUrl: string;
  readonly brokers: readonly string[];
  /** Names the rows of this run. */
  readonly run: string;
  readonly partitions: number;
  /** Events a second, one after the other. */
  readonly rates: readonly number[];
  readonly seconds: number;
}

export interface LatencyFigures {
  readonly rate: number;
  readonly p50: number;
  readonly p99: number;
}

/** One side: appends, and brings what it appended into rows `(id, n, last, sum)`. */
export interface Side {
  /** `(id, n, last, sum)`: how many events of the thing, the last one's number, the sum of their numbers. */
  readonly table: string;
  append(thing: string, seq: number, text: string): Promise<unknown>;
}

/** At 2,000 events a second a thing has one every half second: its row tells of each. */
const THINGS = 1_000;
const TEXT = 'x'.repeat(240);
const WARM_UP: readonly (readonly [rate: number, seconds: number])[] = [
  [500, 3],
  [2_000, 2],
];
/** Between two looks at the rows. */
const LOOK_MS = 1;
const LATEST_MS = 60_000;

interface Awaited {
  readonly seq: number;
  readonly dueAt: number;
}

/**
 * Appends at a steady rate, without waiting for answers, and looks at the rows until each event is seen. An event's time runs from
 * the moment at which it is due, so that a process which stands still is late with all that it should have appended meanwhile, to
 * the answer of the look that finds its number in the row of its thing. One connection of the process looks at the rows of what is
 * not seen yet, again a millisecond after each answer: that adds a look and on average about a millisecond, to both sides alike.
 */
export async function measure(
  side: Side,
  { databaseUrl, run, rates, seconds }: LatencyPart,
): Promise<readonly LatencyFigures[]> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const load = new Load(side, client, run);
    for (const [rate, warmUpSeconds] of WARM_UP) await load.run(rate, warmUpSeconds);
    const figures: LatencyFigures[] = [];
    for (const rate of rates) {
      const times = await load.run(rate, seconds);
      figures.push({ rate, p50: quantile(times, 0.5), p99: quantile(times, 0.99) });
    }
    await load.check();
    return figures;
  } finally {
    await client.end();
  }
}

class Load {
  readonly #awaited = new Map<string, Awaited[]>();
  #times: number[] = [];
  #seq = 0;
  #failure: Error | null = null;

  constructor(
    private readonly side: Side,
    private readonly client: pg.Client,
    private readonly run_: string,
  ) {}

  /** The milliseconds of each event. @throws what an append failed with */
  async run(rate: number, seconds: number): Promise<readonly number[]> {
    this.#times = [];
    const events = rate * seconds;
    await Promise.all([this.#look(events), this.#send(events, rate)]);
    return this.#times;
  }

  async #send(events: number, rate: number): Promise<void> {
    const began = performance.now();
    for (let sent = 0; sent < events && this.#failure === null;) {
      const due = Math.min(events, Math.floor(((performance.now() - began) * rate) / 1_000) + 1);
      for (; sent < due; sent += 1) this.#append(began + (sent * 1_000) / rate);
      await sleep(1);
    }
  }

  #append(dueAt: number): void {
    const seq = ++this.#seq;
    const thing = this.#thing(seq);
    const awaited = this.#awaited.get(thing);
    if (awaited) awaited.push({ seq, dueAt });
    else this.#awaited.set(thing, [{ seq, dueAt }]);
    this.side.append(thing, seq, TEXT).catch((error: unknown) => {
      this.#failure ??= error instanceof Error ? error : new Error(String(error));
    });
  }

  async #look(events: number): Promise<void> {
    let movedAt = performance.now();
    while (this.#times.length < events) {
      if (this.#failure !== null) throw this.#failure;
      if (performance.now() - movedAt > LATEST_MS)
        throw new Error(`${events - this.#times.length} events are not visible after ${LATEST_MS / 1_000} s`);
      if (this.#awaited.size > 0) {
        const { rows } = await this.client.query<{ id: string; last: number }>({
          name: 'look',
          text: `select id, last from ${this.side.table} where id = any($1)`,
          values: [[...this.#awaited.keys()]],
        });
        const now = performance.now();
        for (const { id, last } of rows) if (this.#seen(id, last, now)) movedAt = now;
      }
      await sleep(LOOK_MS);
    }
  }

  #seen(id: string, last: number, now: number): boolean {
    const awaited = this.#awaited.get(id) ?? [];
    const seen = awaited.filter(({ seq }) => seq <= last);
    for (const { dueAt } of seen) this.#times.push(now - dueAt);
    if (seen.length === awaited.length) this.#awaited.delete(id);
    else this.#awaited.set(id, awaited.slice(seen.length));
    return seen.length > 0;
  }

  /**
   * A time counts only when every event is in its row once. What stands in a row is the last of its events, and one that was sent
   * before it may have committed after it: that is waited for.
   */
  async check(): Promise<void> {
    const expected = new Map<string, { n: number; sum: number }>();
    for (let seq = 1; seq <= this.#seq; seq += 1) {
      const line = expected.get(this.#thing(seq)) ?? { n: 0, sum: 0 };
      expected.set(this.#thing(seq), { n: line.n + 1, sum: line.sum + seq });
    }
    for (const until = performance.now() + LATEST_MS; ;) {
      const { rows } = await this.client.query<{ id: string; n: number; sum: number }>(
        `select id, n, sum from ${this.side.table} where starts_with(id, $1)`,
        [`${this.run_}-`],
      );
      const wrong = rows.filter(({ id, n, sum }) => expected.get(id)?.n !== n || expected.get(id)?.sum !== sum);
      if (rows.length === expected.size && wrong.length === 0) return;
      if (performance.now() > until)
        throw new Error(`${rows.length} of ${expected.size} rows, ${wrong.length} of them wrong: ${JSON.stringify(wrong[0])}`);
      await sleep(LOOK_MS);
    }
  }

  #thing(seq: number): string {
    return `${this.run_}-${seq % THINGS}`;
  }
}
