import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Offset, TopicName } from '../../../src/kernel/names.js';
import type { NewRecord } from '../../../src/kernel/record.js';
import type { LogBatch, PartitionOffsets, ReadOptions } from '../../../src/log/event-log.js';
import { MemoryLog } from '../../../src/log/memory/memory-log.js';
import { relayedRecord } from '../../../src/modules/aggregates/relay/relay-record.js';
import { RelayOperations } from '../../../src/modules/aggregates/relay/relay-operations.js';
import type { RelayVerification } from '../../../src/modules/aggregates/relay/relay-verify.js';
import { collect } from '../support/write-side.js';
import { Add, counters } from '../support/counter.js';
import { idIn } from '../support/append-requests.js';
import { RelayHouse } from './relay-house.js';

const ONE = idIn(3, 'one');
const ROWS = 6;

/** A log whose offsets of relayed records are those of their headers, as Kafka's are. */
class HeaderOffsets extends MemoryLog {
  override async *read(options: ReadOptions): AsyncGenerator<LogBatch> {
    for await (const batch of super.read({
      ...options,
      to: { ...options.to, 'counters/3': (await super.offsets(counters.name))[3]?.end ?? 0 },
    }))
      yield {
        ...batch,
        records: batch.records.map((record) => ({ ...record, offset: Number(record.headers['kappa-offset']) as Offset })),
      };
  }

  override async offsets(topic: TopicName): Promise<readonly PartitionOffsets[]> {
    return (await super.offsets(topic)).map((line) => (line.partition === 3 ? { ...line, end: ROWS as Offset } : line));
  }
}

describe('comparing rows and topic', () => {
  let house: RelayHouse;
  let relays: RelayOperations;
  beforeEach(async () => {
    house = await RelayHouse.start();
    relays = new RelayOperations({ database: house.side.database, outbox: house.writer.log, log: house.log });
    for (let n = 0; n < ROWS; n += 1) await house.writer.commands.execute(new Add(ONE, n));
    await house.log.createTopic(counters);
  });
  afterEach(() => house.stop());

  const verify = async (): Promise<RelayVerification> => {
    const [last] = (await collect(relays.verify())).filter(({ done }) => done);
    if (!last) throw new Error('it did not end');
    return last;
  };
  /** What a relay would have written, changed as a test wants it. */
  const copy = async (change: (record: NewRecord, index: number) => readonly NewRecord[]): Promise<void> => {
    await house.log.append((await house.rows()).map(relayedRecord).flatMap(change));
  };
  const whats = ({ samples }: RelayVerification): readonly string[] => samples.map(({ offset, what }) => `${offset} ${what}`);

  it('finds them equal after the relay, and says how far it looked', async () => {
    const { stop } = await house.relay();
    await house.relayed();
    await stop();
    await house.writer.commands.execute(new Add(ONE, 1));
    expect(await verify()).toEqual({
      topic: counters.name,
      compared: ROWS,
      total: ROWS,
      upTo: Object.fromEntries(Array.from({ length: 8 }, (_, n) => [`counters/${n}`, n === 3 ? ROWS : 0])),
      behind: 1,
      differences: 0,
      samples: [],
      done: true,
    });
  });

  it.each([
    ['ce_id', (record: NewRecord) => ({ ...record, headers: { ...record.headers, ce_id: 'another' } })],
    ['key', (record: NewRecord) => ({ ...record, key: 'another' })],
    ['value', (record: NewRecord) => ({ ...record, value: Buffer.from('{}') })],
    ['value', (record: NewRecord) => ({ ...record, value: null })],
    ['ce_time', (record: NewRecord) => ({ ...record, headers: { ...record.headers, ce_time: 'noon' } })],
    ['extra', (record: NewRecord) => ({ ...record, headers: { ...record.headers, extra: 'yes' } })],
    ['kappa-offset', (record: NewRecord) => ({ ...record, headers: { ...record.headers, 'kappa-offset': '99' } })],
  ])('finds another %s', async (what, change) => {
    await copy((record, index) => [index === 2 ? change(record) : record]);
    const result = await verify();
    expect([result.differences, whats(result)]).toEqual([1, [`2 ${what}`]]);
  });

  it('finds what the topic has beyond the rows', async () => {
    await copy((record, index) => (index === ROWS - 1 ? [record, record] : [record]));
    expect(whats(await verify())).toEqual([`${ROWS} extra`]);
  });

  it('finds rows that are missing in the topic, and an order that is another', async () => {
    const log = new HeaderOffsets();
    await log.createTopic(counters);
    const rows = (await house.rows()).map(relayedRecord);
    await log.append(rows.filter((_, index) => index !== 2));
    const both = new RelayOperations({ database: house.side.database, outbox: house.writer.log, log });
    expect(whats((await collect(both.verify())).at(-1) as RelayVerification)).toEqual(['2 missing']);
    await log.append(rows.slice(0, 1));
    expect(whats((await collect(both.verify())).at(-1) as RelayVerification)).toEqual(['2 missing', '0 repeated']);
    await log.stop();
  });

  it('shows the first differences and counts all', async () => {
    await copy((record) => [{ ...record, key: 'another' }]);
    const last = (await collect(relays.verify(['counters'], { samples: 2 }))).at(-1);
    expect(last).toMatchObject({ differences: ROWS, samples: { length: 2 } });
  });

  it('names the topics that there are when it is asked for another', async () => {
    await expect(collect(relays.verify(['counter']))).rejects.toMatchObject({
      code: 'KAPPA_UNKNOWN_TOPIC',
      message: expect.stringContaining('did you mean counters?') as string,
    });
  });

  it('tells how far each partition is, and since when the oldest event waits', async () => {
    const before = (await relays.status())[3];
    expect(before).toMatchObject({ appended: ROWS, relayed: 0, behind: ROWS, owned: false });
    expect(Date.parse(before?.waitingSince ?? '')).toBeLessThanOrEqual(Date.now());
    await house.relay();
    await house.relayed();
    expect((await relays.status())[3]).toMatchObject({ relayed: ROWS, behind: 0, owned: true, waitingSince: null });
  });

  it('relays a lost topic anew after a restart, and refuses one that still holds records', async () => {
    const { stop } = await house.relay();
    await house.relayed();
    await expect(relays.restart('counters')).rejects.toMatchObject({ code: 'KAPPA_RELAY_TOPIC_NOT_EMPTY' });
    await stop();
    house.forget(counters.name);
    await relays.restart('counters');
    await house.relay();
    await house.relayed();
    expect(await verify()).toMatchObject({ compared: ROWS, differences: 0 });
  });
});
