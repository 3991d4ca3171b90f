import { jsonCodec } from '../../../src/kernel/codec.js';
import { encodeEvent } from '../../../src/kernel/envelope.js';
import type { AnyEvent } from '../../../src/kernel/event.js';
import { topicName } from '../../../src/kernel/names.js';
import { partitionOf } from '../../../src/kernel/partitioner.js';
import type { NewRecord } from '../../../src/kernel/record.js';
import { Closed, Noted, Opened, Paid, PARTITIONS } from './ledger.js';

/** What happened to one account, before it has a place in the log. */
export interface Happening {
  readonly account: string;
  readonly type: AnyEvent;
  readonly data: unknown;
}

/** A record as an aggregate's append makes it. */
export function recordOf({ account, type: declared, data }: Happening, n: number): NewRecord {
  const envelope = {
    id: `${account}-${n}`,
    type: declared.type,
    eventVersion: declared.version,
    data,
    aggregate: 'account',
    streamId: account,
    streamVersion: n + 1,
    tenant: null,
    occurredAt: new Date(Date.UTC(2026, 0, 1) + n * 1000).toISOString(),
    correlationId: null,
    causationId: null,
    traceparent: null,
  };
  return {
    topic: topicName('accounts'),
    partition: partitionOf(account, PARTITIONS),
    key: account,
    ...encodeEvent(envelope, jsonCodec),
  };
}

/** A seeded history: accounts are opened, paid from, closed and opened again; every seventh event is one that nobody handles. */
export function history(events: number, options: { readonly accounts?: number; readonly seed?: number } = {}): Happening[] {
  const random = seeded(options.seed ?? 1);
  const among = options.accounts ?? Math.max(3, Math.floor(events / 10));
  return Array.from({ length: events }, (_, n): Happening => {
    const account = `a${Math.floor(random() * among)}`;
    const dice = random();
    if (n % 7 === 6) return { account, type: Noted, data: { text: `note ${n}` } };
    if (dice < 0.2) return { account, type: Opened, data: { owner: `owner of ${account}` } };
    if (dice < 0.26) return { account, type: Closed, data: {} };
    return {
      account,
      type: Paid,
      data: {
        cents: 1 + Math.floor(random() * 10_000),
        kind: `k${Math.floor(random() * 5)}`,
        to: `a${Math.floor(random() * among)}`,
      },
    };
  });
}

/** mulberry32 */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
