import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { offset, topicName, type TopicName } from '../../../src/kernel/names.js';
import type { Position } from '../../../src/kernel/position.js';
import type { LogBatch, PollOptions } from '../../../src/log/event-log.js';
import { HeldPartitions } from '../../../src/log/groups/held-partitions.js';
import { MemoryLog } from '../../../src/log/memory/memory-log.js';
import type { Page, PageWish } from '../../../src/log/page-source.js';
import { position, record, textOf, uniqueName } from '../../../src/testing/log-conformance/log-under-test.js';

const RECORDS = 10;
const THREE: PollOptions = { maxRecords: 3 };

/** The log in memory, which tells what was asked of it and can be away. */
class WatchedLog extends MemoryLog {
  readonly asked: string[] = [];
  away = false;

  override async pages(wishes: readonly PageWish[]): Promise<readonly Page[]> {
    this.asked.push(wishes.map(({ partition, from }) => `${partition} from ${from}`).join(', '));
    if (this.away) throw new Error('away');
    return super.pages(wishes);
  }
}

let log: WatchedLog;
let topic: TopicName;
let held: HeldPartitions;
/** From where the member wants to read what it is given. */
let start: Position;

beforeEach(async () => {
  log = new WatchedLog();
  await log.start();
  topic = topicName(uniqueName('held'));
  start = {};
  await log.createTopic({ name: topic, partitions: 2, retention: null });
  await log.append(Array.from({ length: RECORDS }, (_, index) => record(topic, 0, `${index}`)));
  held = new HeldPartitions(log, [{ name: topic, partitions: 2 }], {
    group: 'g',
    assigned: async () => start,
    revoked: async () => undefined,
  });
  await held.add([0]);
});

afterEach(() => log.stop());

async function fetched(options: PollOptions = THREE): Promise<string[]> {
  return textsOf(await held.fetch(options));
}

function textsOf(batches: readonly LogBatch[]): string[] {
  return batches.flatMap(({ records }) => records.map(textOf));
}

describe('a member that is behind', () => {
  it('has its next page read while it works on the last, and none where nothing is left', async () => {
    expect(await fetched()).toEqual(['0', '1', '2']);
    expect(log.asked).toEqual(['0 from 0', '0 from 3']);
    expect(await fetched()).toEqual(['3', '4', '5']);
    expect(await fetched()).toEqual(['6', '7', '8']);
    expect(await fetched()).toEqual(['9']);
    expect(log.asked).toEqual(['0 from 0', '0 from 3', '0 from 6', '0 from 9']);
    expect(await fetched()).toEqual([]);
    expect(log.asked).toHaveLength(4);
  });

  it('reads what came after its next page was read', async () => {
    await fetched({ maxRecords: 9 });
    await log.append([record(topic, 0, 'late')]);
    expect([...(await fetched()), ...(await fetched())]).toEqual(['9', 'late']);
  });

  it('reads from where it seeks, not what was read ahead', async () => {
    await fetched();
    held.seek(topic, 0, offset(8));
    expect(await fetched()).toEqual(['8', '9']);
    held.seek(topic, 0, offset(1));
    expect(await fetched()).toEqual(['1', '2', '3']);
  });

  it('gets as many records as it asks for, whatever was read ahead', async () => {
    await fetched();
    expect(await fetched({ maxRecords: 1 })).toEqual(['3']);
    expect(await fetched()).toEqual(['4', '5', '6']);
  });

  it('is given what was read ahead of a paused partition when that is resumed', async () => {
    await fetched();
    held.pause(topic, 0);
    expect(await fetched()).toEqual([]);
    held.resume(topic, 0);
    expect(await fetched()).toEqual(['3', '4', '5']);
    expect(log.asked).toEqual(['0 from 0', '0 from 3', '0 from 6']);
  });

  it('is given nothing of a partition that it lost meanwhile, and reads it anew where it gets it back', async () => {
    await fetched();
    await held.drop([0], 'rebalance');
    expect(await fetched()).toEqual([]);
    await held.add([0]);
    expect(await fetched()).toEqual(['0', '1', '2']);
  });

  it('asks the log again for what was read ahead of a partition before that was lost: another may have failed over since', async () => {
    await fetched();
    await held.drop([0], 'lost');
    start = position([topic, 0, 3]);
    await held.add([0]);
    expect(await fetched()).toEqual(['3', '4', '5']);
    expect(log.asked.slice(0, 3)).toEqual(['0 from 0', '0 from 3', '0 from 3']);
  });

  it('asks the log again for what was read ahead when the log has failed since', async () => {
    await log.append(Array.from({ length: RECORDS }, (_, index) => record(topic, 1, `o${index}`)));
    await fetched();
    held.pause(topic, 0);
    await held.add([1]);
    log.away = true;
    await expect(held.fetch(THREE)).rejects.toThrow('away');
    log.away = false;
    held.resume(topic, 0);
    held.pause(topic, 1);
    expect(await fetched()).toEqual(['3', '4', '5']);
    expect(log.asked.slice(0, 4)).toEqual(['0 from 0', '0 from 3', '1 from 0', '0 from 3']);
  });

  it('reads the others as well, which were not behind', async () => {
    await held.add([1]);
    await fetched({ maxRecords: 6 });
    await log.append([record(topic, 1, 'other')]);
    expect((await fetched({ maxRecords: 6 })).sort()).toEqual(['3', '4', '5', 'other']);
  });

  it('learns with its next poll that the log was away, and loses nothing', async () => {
    await fetched();
    expect(await fetched()).toEqual(['3', '4', '5']);
    log.away = true;
    await fetched();
    await expect(held.fetch(THREE)).rejects.toThrow('away');
    log.away = false;
    expect(await fetched()).toEqual(['9']);
  });

  it('is done reading when it says so, also where nobody asked for what was read', async () => {
    let answer = (): void => undefined;
    const answered = new Promise<void>((resolve) => (answer = resolve));
    const pages = log.pages.bind(log);
    await fetched();
    log.pages = async (wishes) => {
      await answered;
      return pages(wishes);
    };
    await fetched();
    const settled = held.settled().then(() => 'settled');
    expect(await Promise.race([settled, new Promise((resolve) => setTimeout(resolve, 20, 'reading'))])).toBe('reading');
    answer();
    expect(await settled).toBe('settled');
  });
});

describe('a member that polls deep', () => {
  const DEEP: PollOptions = { maxRecords: 4, deep: true };

  beforeEach(async () => {
    await log.append(Array.from({ length: RECORDS }, (_, index) => record(topic, 1, `o${index}`)));
    await held.add([1]);
  });

  it('reads one partition until it has drawn level, then the other', async () => {
    expect(await fetched(DEEP)).toEqual(['0', '1', '2', '3']);
    expect(await fetched(DEEP)).toEqual(['4', '5', '6', '7']);
    expect((await fetched(DEEP)).sort()).toEqual(['8', '9', 'o0', 'o1']);
    expect(await fetched(DEEP)).toEqual(['o2', 'o3', 'o4', 'o5']);
    expect(await fetched(DEEP)).toEqual(['o6', 'o7', 'o8', 'o9']);
    expect(await fetched(DEEP)).toEqual([]);
  });

  it('reads what is not far behind along with it', async () => {
    held.seek(topic, 0, offset(9));
    expect((await fetched(DEEP)).sort()).toEqual(['9', 'o0', 'o1']);
    await log.append([record(topic, 0, 'late')]);
    const next = [...(await fetched(DEEP)), ...(await fetched(DEEP))];
    expect(next).toContain('late');
    expect(next).toContain('o2');
  });

  it('leaves one that never draws level after some polls, for the other', async () => {
    const seen: string[] = [];
    for (let poll = 0; poll < 40; poll += 1) {
      await log.append(Array.from({ length: 4 }, () => record(topic, 0, 'more')));
      seen.push(...(await fetched(DEEP)));
    }
    expect(seen).toContain('o0');
    expect(seen.indexOf('o0')).toBeGreaterThan(100);
  });

  it('reads each a little where the log gives no ranges', async () => {
    Object.assign(log, { readsRanges: false });
    expect((await fetched(DEEP)).sort()).toEqual(['0', '1', 'o0', 'o1']);
  });
});
