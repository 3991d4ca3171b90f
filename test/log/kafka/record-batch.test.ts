import { describe, expect, it } from 'vitest';
import type { NewRecord } from '../../../src/kernel/record.js';
import { decodeBatches, encodeBatch } from '../../../src/log/kafka/record-batch.js';
import { record } from '../../../src/testing/log-conformance/log-under-test.js';
import { topicName } from '../../../src/kernel/names.js';

const topic = topicName('t');
const AT = { attributes: 21, lastOffsetDelta: 23, count: 57 } as const;

function batch(base: number, records: readonly NewRecord[], producerId = -1n): Buffer {
  const bytes = Buffer.from(
    encodeBatch(records, { producerId, epoch: 0, sequence: 0, transactional: producerId >= 0n }, 1_700_000_000_000),
  );
  bytes.writeBigInt64BE(BigInt(base), 0);
  return bytes;
}

/** What log compaction leaves of a batch whose records are all superseded: its header, which still says how far it went. */
function emptied(base: number, count: number): Buffer {
  const full = batch(base, [record(topic, 0, 'a')]);
  const bytes = Buffer.from(full.subarray(0, 61));
  bytes.writeInt32BE(61 - 12, 8);
  bytes.writeInt32BE(count - 1, AT.lastOffsetDelta);
  bytes.writeInt32BE(0, AT.count);
  return bytes;
}

/** The end of a transaction: a control record whose key says version 0 and how it ended. */
function marker(base: number, producerId: bigint, type: 'abort' | 'commit'): Buffer {
  const bytes = batch(
    base,
    [{ ...record(topic, 0, ''), key: `\0\0\0${type === 'abort' ? '\0' : '\x01'}`, headers: {} }],
    producerId,
  );
  bytes.writeInt16BE(0x30, AT.attributes);
  return bytes;
}

function decode(buffer: Buffer, from = 0, aborted: { producerId: bigint; firstOffset: number }[] = []) {
  return decodeBatches(buffer, { topic, partition: 0, from, aborted });
}

const texts = (records: readonly { readonly key: string | null; readonly offset: number }[]) =>
  records.map(({ key, offset }) => `${offset} ${key}`);

describe('batches of Kafka', () => {
  it('hold what was put into them', async () => {
    const given: NewRecord[] = [
      { ...record(topic, 0, 'Zürich 🚲'), headers: { a: '', 'ü "x"': '🚲' } },
      { topic, partition: 0, key: null, value: null, headers: {} },
    ];
    const { records, next } = await decode(batch(40, given));
    expect(next).toBe(42);
    expect(records.map(({ offset, timestampUs }) => [offset, timestampUs])).toEqual([
      [40, 1_700_000_000_000_000],
      [41, 1_700_000_000_000_000],
    ]);
    expect(records.map(({ key, value, headers }) => ({ key, value, headers }))).toEqual(
      given.map(({ key, value, headers }) => ({ key, value: value && Buffer.from(value), headers })),
    );
  });

  it('are passed when compaction has left nothing in them', async () => {
    const { records, next } = await decode(
      Buffer.concat([emptied(5, 10), batch(15, [record(topic, 0, 'a')]), emptied(16, 4)]),
      5,
    );
    expect(texts(records)).toEqual(['15 a']);
    expect(next).toBe(20);
  });

  it('cut off at the end of a fetch are left to the next', async () => {
    const whole = batch(0, [record(topic, 0, 'a'), record(topic, 0, 'b')]);
    const third = batch(2, [record(topic, 0, 'c')]);
    for (const cut of [1, 20, 60, third.length - 1]) {
      const { records, next } = await decode(Buffer.concat([whole, third.subarray(0, cut)]));
      expect(texts(records)).toEqual(['0 a', '1 b']);
      expect(next).toBe(2);
    }
  });

  it('begin before what was asked for, which is not given twice', async () => {
    const whole = batch(
      10,
      ['a', 'b', 'c', 'd'].map((text) => record(topic, 0, text)),
    );
    expect(texts((await decode(whole, 12)).records)).toEqual(['12 c', '13 d']);
  });

  it('of aborted transactions are passed, those of others between them are not', async () => {
    const buffer = Buffer.concat([
      batch(0, [record(topic, 0, 'aborted')], 7n),
      batch(1, [record(topic, 0, 'committed')], 8n),
      batch(2, [record(topic, 0, 'plain')]),
      marker(3, 7n, 'abort'),
      batch(4, [record(topic, 0, 'later, by the same')], 7n),
      marker(5, 8n, 'commit'),
      marker(6, 7n, 'commit'),
    ]);
    const { records, next } = await decode(buffer, 0, [{ producerId: 7n, firstOffset: 0 }]);
    expect(texts(records)).toEqual(['1 committed', '2 plain', '4 later, by the same']);
    expect(next).toBe(7);
  });

  it('of markers alone move the position', async () => {
    expect(await decode(Buffer.concat([marker(3, 7n, 'commit'), marker(4, 9n, 'abort')]), 3)).toEqual({ records: [], next: 5 });
  });

  it('of the formats before 0.11 are named', async () => {
    const old = batch(0, [record(topic, 0, 'a')]);
    old.writeInt8(1, 16);
    await expect(decode(old)).rejects.toThrow('format 1');
  });
});
