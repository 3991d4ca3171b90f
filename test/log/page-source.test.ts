import { describe, expect, it } from 'vitest';
import { topicName, type Offset } from '../../src/kernel/names.js';
import type { LogRecord } from '../../src/kernel/record.js';
import { provenNext, type Page, type PageWish } from '../../src/log/page-source.js';

const topic = topicName('t');

function wish(from: number, to: number | null): PageWish {
  return { topic, partition: 0, from: from as Offset, to: to as Offset | null, maxRecords: 10, maxBytes: 1000 };
}

function page(begin: number, end: number, ...offsets: number[]): Page {
  const records = offsets.map((offset): LogRecord => ({
    topic,
    partition: 0,
    offset: offset as Offset,
    timestampUs: 0,
    key: null,
    value: null,
    headers: {},
  }));
  return { begin: begin as Offset, end: end as Offset, records };
}

describe('where a read goes on', () => {
  it('is after the last record, not at the ceiling that was asked for', () => {
    expect(provenNext(wish(0, 100), page(0, 50, 0, 1, 4))).toBe(5);
  });

  it('is the end of the range when that was proven empty', () => {
    expect(provenNext(wish(5, 40), page(0, 50))).toBe(40);
  });

  it('is not beyond the end that the same snapshot saw', () => {
    expect(provenNext(wish(5, 100), page(0, 50))).toBe(50);
    expect(provenNext(wish(50, null), page(0, 50))).toBe(50);
  });

  it('is nowhere below the begin or beyond the end', () => {
    expect(() => provenNext(wish(5, null), page(6, 50))).toThrow(expect.objectContaining({ code: 'KAPPA_LOG_TRUNCATED' }));
    expect(() => provenNext(wish(51, null), page(6, 50))).toThrow(
      expect.objectContaining({ code: 'KAPPA_POSITION_BEYOND_END' }),
    );
  });
});
