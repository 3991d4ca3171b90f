import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { offset, topicName } from '../../../src/kernel/names.js';
import { CopyRooms } from '../../../src/log/postgres/copy-rooms.js';
import { PageReader } from '../../../src/log/postgres/pages.js';
import { TopicCatalog } from '../../../src/log/postgres/topic-catalog.js';
import { record, uniqueName } from '../../../src/testing/log-conformance/log-under-test.js';
import { LogDatabase, type LogClient } from './log-databases.js';

let test: LogDatabase;
let client: LogClient;

beforeAll(async () => {
  test = await LogDatabase.create();
  client = await test.client();
});

afterAll(() => test.close());

describe('rooms for what COPY gives', () => {
  it('are taken again where they are large enough, and not much too large', () => {
    const rooms = new CopyRooms();
    const room = rooms.take(700_000);
    rooms.giveBack(room.subarray(10, 20));
    expect(rooms.take(100_000).buffer).not.toBe(room.buffer);
    expect(rooms.take(room.length + 1).buffer).not.toBe(room.buffer);
    expect(rooms.take(710_000).buffer).toBe(room.buffer);
    expect(rooms.take(710_000).buffer).not.toBe(room.buffer);
  });

  it('are kept few, those that were given back last', () => {
    const rooms = new CopyRooms();
    const given = [1, 2, 4, 8, 16, 32].map((size) => rooms.take(size * 1024));
    for (const room of given) rooms.giveBack(room);
    const taken = given.toReversed().map((room) => rooms.take(room.length).buffer === room.buffer);
    expect(taken).toEqual([true, true, true, true, false, false]);
  });
});

describe('rooms of a reader', () => {
  it.each([300_000, 500_000, 700_000, 1_200_000, 4_000_000])('are used again for pages of about %i bytes', (bytes) => {
    const rooms = new CopyRooms();
    const seen = new Set<ArrayBufferLike>();
    const held: Buffer[] = [];
    for (let page = 0; page < 60; page += 1) {
      const room = rooms.take(Math.ceil(bytes * 1.125 * (1 + (page % 5) / 100)));
      // What fills less than half of its room is copied out of it.
      expect(bytes).toBeGreaterThan(room.length / 2);
      if (page >= 20) seen.add(room.buffer);
      held.push(room);
      if (held.length > 3) rooms.giveBack(held.shift() as Buffer);
    }
    expect(seen.size).toBeLessThanOrEqual(6);
  });
});

describe('pages that are released', () => {
  it('give their room to the next once none of its pages is held, and no record any more', async () => {
    const topic = topicName(uniqueName('released'));
    await client.log.createTopic({ name: topic, partitions: 2, retention: null });
    const large = (partition: number, text: string) => ({
      ...record(topic, partition, text),
      value: Buffer.alloc(50_000, text),
    });
    for (const text of ['a', 'b', 'c', 'd']) await client.log.append([large(0, text), large(1, text)]);
    const reader = new PageReader(client.database, new TopicCatalog(client.database), new CopyRooms());
    const read = (from: number) =>
      reader.read(
        [0, 1].map((partition) => ({ topic, partition, from: offset(from), to: null, maxRecords: 1, maxBytes: 1_000_000 })),
      );
    const roomOf = (page: { readonly records: readonly { readonly value: Uint8Array | null }[] } | undefined) =>
      page?.records[0]?.value?.buffer;

    // How much comes is known from then on: room is taken for it at once, however it comes in.
    await read(0);
    const first = await read(0);
    const room = roomOf(first[0]);
    first[0]?.release();
    expect(() => first[0]?.records).toThrow();
    const second = await read(1);
    expect(roomOf(second[0])).not.toBe(room);
    expect(roomOf(first[1])).toBe(room);
    first[1]?.release();
    first[1]?.release();
    const third = await read(2);
    const fourth = await read(3);
    expect([third, fourth].map((pages) => roomOf(pages[0]) === room)).toEqual([true, false]);
    expect(
      [second, third, fourth].map((pages) => pages.map(({ records }) => String.fromCharCode(records[0]?.value?.[0] ?? 0))),
    ).toEqual([
      ['b', 'b'],
      ['c', 'c'],
      ['d', 'd'],
    ]);
  });
});
