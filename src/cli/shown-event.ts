import { jsonCodec } from '../kernel/codec.js';
import { HEADER } from '../kernel/envelope.js';
import { isoMicros } from '../kernel/iso-micros.js';
import type { LogRecord } from '../kernel/record.js';
import type { Output } from './output.js';

/** A record as the command shows it: as it was written, without upcasting, so that no definitions are needed. */
export interface ShownEvent {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: string | null;
  readonly type: string | null;
  readonly eventVersion: number | null;
  readonly id: string | null;
  readonly stream: { readonly aggregate: string | null; readonly id: string | null; readonly version: number | null };
  readonly tenant: string | null;
  readonly occurredAt: string | null;
  readonly recordedAt: string;
  readonly correlationId: string | null;
  readonly causationId: string | null;
  /** The payload where it is JSON, else null and `base64` holds the bytes. */
  readonly data: unknown;
  readonly base64?: string;
}

export function shownEvent(record: LogRecord): ShownEvent {
  const { headers } = record;
  return {
    topic: record.topic,
    partition: record.partition,
    offset: record.offset,
    key: record.key,
    type: headers[HEADER.type] ?? null,
    eventVersion: numberOf(headers[HEADER.eventVersion]),
    id: headers[HEADER.id] ?? null,
    stream: {
      aggregate: /^\/([^?]*)/.exec(headers[HEADER.source] ?? '')?.[1] ?? null,
      id: headers[HEADER.subject] ?? null,
      version: numberOf(headers[HEADER.streamVersion]),
    },
    tenant: headers[HEADER.tenant] ?? null,
    occurredAt: headers[HEADER.time] ?? null,
    recordedAt: isoMicros(record.timestampUs),
    correlationId: headers[HEADER.correlationId] ?? null,
    causationId: headers[HEADER.causationId] ?? null,
    ...payloadOf(record),
  };
}

/** One line: when, where, what, whose, with what; cut to the terminal's width where there is one. */
export function eventLine(event: ShownEvent, out: Output): string {
  const place = `${event.topic}/${event.partition}:${event.offset}`;
  const whose =
    event.stream.id === null
      ? (event.key ?? '')
      : `${event.stream.id}${event.stream.version === null ? '' : ` v${event.stream.version}`}`;
  const data = event.base64 === undefined ? printable(JSON.stringify(event.data)) : `${event.base64.slice(0, 40)}… (base64)`;
  const when = event.recordedAt.replace('T', ' ').slice(0, 23);
  const plain = [when, place, event.type ?? '(no type)', printable(whose), data];
  const room = out.stdout.isTTY ? (out.stdout.columns ?? 120) : Number.POSITIVE_INFINITY;
  const before = plain.slice(0, -1).join('  ').length + 2;
  const cut = before + data.length > room ? `${data.slice(0, Math.max(0, room - before - 1))}…` : data;
  return [out.color.dim(when), out.color.dim(place), out.color.cyan(event.type ?? '(no type)'), printable(whose), cut].join(
    '  ',
  );
}

function payloadOf(record: LogRecord): { readonly data: unknown; readonly base64?: string } {
  if (record.value === null) return { data: null };
  try {
    return { data: jsonCodec.decode(record.value, record.headers) };
  } catch {
    return { data: null, base64: Buffer.from(record.value).toString('base64') };
  }
}

/** What stands in the log comes from outside: control characters must not reach the terminal. */
export function printable(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, '·');
}

function numberOf(text: string | undefined): number | null {
  return text === undefined || !/^\d+$/.test(text) ? null : Number(text);
}
