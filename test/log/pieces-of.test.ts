import { describe, expect, it } from 'vitest';
import type { Offset, TopicName } from '../../src/kernel/names.js';
import type { LogRecord } from '../../src/kernel/record.js';
import type { LogBatch } from '../../src/log/event-log.js';
import { madeInTurns, piecesOf } from '../../src/log/pieces-of.js';

const TOPIC = 'things' as TopicName;

function recordAt(offset: number): LogRecord {
  return { topic: TOPIC, partition: 0, offset: offset as Offset, timestampUs: offset, key: null, value: null, headers: {} };
}

function batchOf(offsets: readonly number[], next: number): LogBatch {
  return { topic: TOPIC, partition: 0, records: offsets.map(recordAt), next: next as Offset, end: 100 as Offset };
}

/** The same, but its records are made as they are asked for; `made` says which. */
function onDemand(batch: LogBatch): { readonly batch: LogBatch; readonly made: number[] } {
  const made: number[] = [];
  const source = {
    length: batch.records.length,
    slice: (from: number, to: number) =>
      batch.records.slice(from, to).map((record) => {
        made.push(record.offset);
        return { ...record };
      }),
  };
  return { batch: { ...batch, onDemand: source }, made };
}

describe('pieces of a batch', () => {
  it.each([1, 2, 3, 4, 5, Infinity])('of %s records have all of it, and the last ends where the batch does', (records) => {
    const whole = batchOf([3, 4, 7, 9], 20);
    for (const batch of [whole, onDemand(whole).batch]) {
      const pieces = [...piecesOf(batch, records)];
      expect(pieces.flatMap((piece) => piece.records)).toEqual(whole.records);
      expect(pieces.map(({ next }) => next).at(-1)).toBe(20);
      for (const piece of pieces.slice(0, -1)) expect(piece.next).toBe((piece.records.at(-1)?.offset ?? NaN) + 1);
      expect(pieces.every((piece) => piece.records.length <= records)).toBe(true);
    }
  });

  it('of a batch without records are the batch, whose position has moved', () => {
    expect([...piecesOf(batchOf([], 20), 2)].map(({ next, records }) => [next, records])).toEqual([[20, []]]);
  });

  it('make records only when they are taken, where the log makes them on demand', () => {
    const { batch, made } = onDemand(batchOf([3, 4, 7, 9], 20));
    const pieces = piecesOf(batch, 2);
    expect(made).toEqual([]);
    pieces.next();
    expect(made).toEqual([3, 4]);
    pieces.next();
    expect(made).toEqual([3, 4, 7, 9]);
  });

  it('are put together again, with turns for others between them', async () => {
    const whole = batchOf(
      Array.from({ length: 2_000 }, (_, offset) => offset),
      2_500,
    );
    let turns = 0;
    const count = (): void => {
      turns += 1;
      other = setImmediate(count);
    };
    let other = setImmediate(count);
    const { onDemand: left, ...made } = await madeInTurns(onDemand(whole).batch);
    clearImmediate(other);
    expect(left).toBeUndefined();
    expect(made).toEqual(whole);
    expect(turns).toBeGreaterThanOrEqual(2);
    expect(await madeInTurns(whole)).toBe(whole);
  });
});
