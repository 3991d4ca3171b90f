import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Database, type Statement } from '../../../src/database/database.js';
import { LOG_OFFSET_HEADER, type LogRecord } from '../../../src/kernel/record.js';
import { Add, counters } from '../support/counter.js';
import { RelayHouse } from './relay-house.js';

/** A record as its row was, and the log offset it says it has. */
function asRow({ headers, offset, timestampUs: _, value, ...record }: LogRecord): unknown {
  const { [LOG_OFFSET_HEADER]: logOffset, ...rest } = headers;
  const text = value && Buffer.from(value).toString();
  return { ...record, value: text, offset: logOffset === undefined ? offset : Number(logOffset), headers: rest };
}

/** Lets a test wait until something was asked so many times. */
class WatchedDatabase extends Database {
  readonly #watches: { readonly pattern: RegExp; left: number; readonly seen: () => void }[] = [];

  asked(pattern: RegExp, times: number): Promise<void> {
    return new Promise((seen) => this.#watches.push({ pattern, left: times, seen }));
  }

  override query<Row extends object>(
    statement: string | Statement,
    values?: readonly unknown[],
  ): Promise<{ rows: Row[]; rowCount: number }> {
    const text = typeof statement === 'string' ? statement : statement.text;
    for (const watch of this.#watches) if (watch.pattern.test(text) && --watch.left === 0) watch.seen();
    return super.query<Row>(statement, values);
  }
}

describe('the relay', () => {
  let house: RelayHouse;
  beforeEach(async () => {
    house = await RelayHouse.start();
  });
  afterEach(() => house.stop());

  const add = async (count: number, streams = 16): Promise<void> => {
    await Promise.all(
      Array.from({ length: count }, (_, n) => house.writer.commands.execute(new Add(`counter-${n % streams}`, n))),
    );
  };
  const expectEqual = async (): Promise<void> => {
    const [rows, records] = [await house.rows(), await house.records()];
    expect(records.map(asRow)).toEqual(rows.map(asRow));
    expect(records.map(({ headers }) => headers[LOG_OFFSET_HEADER])).toEqual(rows.map(({ offset }) => String(offset)));
  };

  it('copies every row to the log once, in order, with its log offset', async () => {
    await add(200);
    const { relay } = await house.relay();
    await house.relayed();
    await add(300);
    await house.relayed();
    await expectEqual();
    expect(relay.health).toMatchObject({ state: 'relaying', partitions: { length: counters.partitions } });
    expect(house.logger.lines).toEqual([]);
  });

  it('goes on where another process stopped', async () => {
    const first = await house.relay();
    await add(100);
    await house.relayed();
    await first.stop();
    await add(100);
    await house.relay();
    await house.relayed();
    await expectEqual();
  });

  it('sends nothing while nothing is appended', async () => {
    await add(20);
    const database = new WatchedDatabase({ url: house.side.url });
    const { log, stop } = await house.relay({ database, topicsIntervalMs: 10 });
    await house.relayed();
    const sent = log.commits.length;
    // It has looked for new topics, and at its group, many times over meanwhile.
    await database.asked(/from aggregates/, 20);
    await stop();
    await database.stop();
    expect(log.commits).toHaveLength(sent);
    expect(log.opened).toHaveLength(counters.partitions);
  });

  it('gathers what is appended while a batch is written', async () => {
    const { log } = await house.relay();
    await add(1, 1);
    await house.relayed();
    const before = log.commits.length;
    await add(400, 1);
    await house.relayed();
    expect(log.commits.length - before).toBeLessThan(200);
    await expectEqual();
  });

  it('divides what has gathered into batches of bounded size', async () => {
    await add(120, 4);
    const { log } = await house.relay({ writeRecords: 7 });
    await house.relayed();
    expect(log.commits.length).toBeGreaterThanOrEqual(Math.ceil(120 / 7));
    await expectEqual();
  });
});
