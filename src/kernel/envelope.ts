import type { Codec } from './codec.js';
import { plain } from './plain.js';
import type { RecordHeaders } from './record.js';

/** What an event is wrapped in when it is written. */
export interface EventEnvelope {
  readonly id: string;
  readonly type: string;
  /** The declared version of the payload that is written. */
  readonly eventVersion: number;
  readonly data: unknown;
  readonly aggregate: string;
  readonly streamId: string;
  readonly streamVersion: number;
  readonly tenant: string | null;
  /** ISO 8601 as the caller wrote it, offset included. */
  readonly occurredAt: string;
  readonly correlationId: string | null;
  readonly causationId: string | null;
  /** W3C trace context, where the caller is traced. */
  readonly traceparent: string | null;
}

/** CloudEvents 1.0, Kafka binding, binary mode: attributes as `ce_` headers, extension names in lower case. */
export const HEADER = {
  specVersion: 'ce_specversion',
  id: 'ce_id',
  type: 'ce_type',
  source: 'ce_source',
  subject: 'ce_subject',
  time: 'ce_time',
  eventVersion: 'ce_eventversion',
  streamVersion: 'ce_streamversion',
  tenant: 'ce_tenant',
  correlationId: 'ce_correlationid',
  causationId: 'ce_causationid',
  contentType: 'content-type',
  traceparent: 'traceparent',
} as const;

/** The value and headers of an event's record. */
export function encodeEvent(
  event: EventEnvelope,
  codec: Codec,
): { readonly value: Uint8Array; readonly headers: RecordHeaders } {
  const payload = codec.encode(event.data, { tenant: event.tenant, type: event.type, streamId: event.streamId });
  const headers: Record<string, string> = new EventHeaders(event);
  for (const name in payload.headers) {
    const value = payload.headers[name];
    if (value !== undefined) headers[name] = value;
  }
  if (event.tenant !== null) headers[HEADER.tenant] = event.tenant;
  if (event.correlationId !== null) headers[HEADER.correlationId] = event.correlationId;
  if (event.causationId !== null) headers[HEADER.causationId] = event.causationId;
  if (event.traceparent !== null) headers[HEADER.traceparent] = event.traceparent;
  return { value: payload.value, headers };
}

/** Those that every event has. */
type WrittenHeaders = Record<
  (typeof HEADER)['specVersion' | 'id' | 'type' | 'source' | 'subject' | 'time' | 'eventVersion' | 'streamVersion'],
  string
>;

/** By their names as they stand in HEADER: computed ones would make each an object of a shape of its own, slow to write as JSON. */
const EventHeaders = plain<WrittenHeaders, [event: EventEnvelope]>(function (event) {
  this.ce_specversion = '1.0';
  this.ce_id = event.id;
  this.ce_type = event.type;
  this.ce_source = event.tenant === null ? `/${event.aggregate}` : `/${event.aggregate}?tenant=${event.tenant}`;
  this.ce_subject = event.streamId;
  this.ce_time = event.occurredAt;
  this.ce_eventversion = String(event.eventVersion);
  this.ce_streamversion = String(event.streamVersion);
});
