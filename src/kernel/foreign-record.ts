import type { AnyEvent, NewOf } from './event.js';
import type { RecordHeaders } from './record.js';

/** A record that somebody else wrote in a shape of their own, as `decode` of a topic sees it. */
export interface ForeignRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: string | null;
  /** Null is a tombstone. */
  readonly value: Uint8Array | null;
  readonly headers: RecordHeaders;
  /** When it was appended: ISO 8601 in UTC. */
  readonly recordedAt: string;
  /** The value as UTF-8 text; empty for a tombstone. */
  text(): string;
  /** The value as JSON. @throws SyntaxError where it is none */
  json(): unknown;
}

/** What such a record means: a declared event, and what the record says of it. */
export interface ForeignEvent<E extends AnyEvent> {
  /** `PaymentSeen({ cents: 4200 })` */
  readonly event: NewOf<E>;
  /** Whose event it is: `event.stream.id`. Default: the record's key. */
  readonly key?: string;
  /** When it happened, ISO 8601 with an offset. Default: when the record was appended. */
  readonly occurredAt?: string;
  /** Its identity over all topics. Default: `topic/partition/offset`. */
  readonly id?: string;
  /** What takes the place of the aggregate in `event.stream.aggregate`. Default: the topic's name. */
  readonly source?: string;
  /** Default: none. */
  readonly tenant?: string | null;
  /** Default: none. */
  readonly correlationId?: string | null;
  /** Default: none. */
  readonly causationId?: string | null;
}

/**
 * Reads a record that is none of our own events: a declared event, or null for one that is of no interest here, which is then
 * passed over on purpose. What it throws counts as undecodable.
 */
export type DecodeRecord<E extends AnyEvent = AnyEvent> = (record: ForeignRecord) => ForeignEvent<E> | null;
