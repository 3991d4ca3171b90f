import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { jsonCodec } from '../../src/kernel/codec.js';
import { HEADER } from '../../src/kernel/envelope.js';
import { EventDecoder } from '../../src/kernel/event-decoder.js';
import { event } from '../../src/kernel/event.js';
import type { ForeignEvent, ForeignRecord } from '../../src/kernel/foreign-record.js';
import { offset } from '../../src/kernel/names.js';
import type { LogRecord } from '../../src/kernel/record.js';
import { type } from '../../src/kernel/shape.js';
import { topic } from '../../src/kernel/topic.js';

const Paid = event('bank.paid', z.object({ cents: z.number().int(), note: z.string().default('') }));
const Closed = event('bank.closed', type<{ why: string }>());

interface Payment {
  readonly iban: string;
  readonly amount: string;
  readonly when: string;
}

function decode(record: ForeignRecord): ForeignEvent<typeof Paid | typeof Closed> | null {
  if (record.headers['kind'] === 'heartbeat') return null;
  if (record.value === null) return { event: Closed({ why: 'deleted' }) };
  const { iban, amount, when } = record.json() as Payment;
  return {
    event: Paid({ cents: Math.round(Number(amount) * 100) } as never),
    key: iban,
    occurredAt: when,
    id: `bank-${record.offset}`,
  };
}

const bank = topic('bank', { partitions: 2, events: [Paid, Closed], decode });
const decoder = new EventDecoder([bank], jsonCodec);

function record(value: unknown, more: Partial<LogRecord> = {}): LogRecord {
  return {
    topic: bank.name,
    partition: 1,
    offset: offset(7),
    key: 'k1',
    value: value === null ? null : Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)),
    headers: {},
    timestampUs: Date.parse('2026-03-01T10:00:00.000Z') * 1000 + 12,
    ...more,
  };
}

describe('a record in a shape of its own', () => {
  it('becomes the declared event that decode says, with key, time and id, its payload checked', () => {
    const found = decoder.decodeForeign(record({ iban: 'IT60', amount: '42.10', when: '2026-02-28T23:59:59+01:00' }));
    expect(found).toEqual({
      id: 'bank-7',
      type: 'bank.paid',
      data: { cents: 4210, note: '' },
      stream: { aggregate: 'bank', id: 'IT60', version: 0 },
      tenant: null,
      occurredAt: '2026-02-28T23:59:59+01:00',
      recordedAt: '2026-03-01T10:00:00.000012Z',
      correlationId: null,
      causationId: null,
      topic: 'bank',
      partition: 1,
      offset: 7,
    });
  });

  it('is named by its key, its place and its append time where decode says nothing of them', () => {
    expect(decoder.decodeForeign(record(null))).toMatchObject({
      id: 'bank/1/7',
      type: 'bank.closed',
      stream: { id: 'k1' },
      occurredAt: '2026-03-01T10:00:00.000012Z',
    });
  });

  it('is passed over where decode says that it is of no interest', () => {
    expect(decoder.decodeForeign(record({}, { headers: { kind: 'heartbeat' } }))).toBeNull();
  });

  it('is foreign by its type header: of ours only what the topic declares', () => {
    expect(decoder.isForeign(record({}))).toBe(true);
    expect(decoder.isForeign(record({}, { headers: { [HEADER.type]: 'com.acme.payment' } }))).toBe(true);
    expect(decoder.isForeign(record({}, { headers: { [HEADER.type]: 'bank.paid' } }))).toBe(false);
    const own = new EventDecoder([topic('own', { events: [Paid] })], jsonCodec);
    expect(own.isForeign(record({}))).toBe(false);
  });

  it.each([
    ['what decode throws', record('no json'), 'KAPPA_UNDECODABLE'],
    ['a time that is none', record({ iban: 'a', amount: '1', when: 'yesterday' }), 'KAPPA_UNDECODABLE'],
    ['a payload against its shape', record({ iban: 'a', amount: 'x', when: '2026-02-28T23:59:59Z' }), 'KAPPA_INVALID_PAYLOAD'],
  ])('is refused with its place for %s', (_, given, code) => {
    expect(() => decoder.decodeForeign(given)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining('bank/1 offset 7') as string }),
    );
  });

  it('is refused where decode returns an event that the topic does not declare, or none', () => {
    const Other = event('other', type<object>());
    const wrong = (returned: unknown) =>
      new EventDecoder([topic('bank', { events: [Paid], decode: () => returned as never })], jsonCodec).decodeForeign(
        record({}),
      );
    expect(() => wrong({ event: Other({}) })).toThrow(/KAPPA_UNDECODABLE.*other, which the topic does not declare/);
    expect(() => wrong(undefined)).toThrow(/KAPPA_UNDECODABLE.*something that is no event/);
  });
});
