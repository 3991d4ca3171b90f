import type { Codec } from './codec.js';
import { KappaError } from './errors.js';
import type { AnyEvent, AnyRecorded, EventVersion } from './event.js';
import type { LogRecord, RecordHeaders } from './record.js';

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
  const headers: Record<string, string> = {
    [HEADER.specVersion]: '1.0',
    [HEADER.id]: event.id,
    [HEADER.type]: event.type,
    [HEADER.source]: event.tenant === null ? `/${event.aggregate}` : `/${event.aggregate}?tenant=${event.tenant}`,
    [HEADER.subject]: event.streamId,
    [HEADER.time]: event.occurredAt,
    [HEADER.eventVersion]: String(event.eventVersion),
    [HEADER.streamVersion]: String(event.streamVersion),
    ...payload.headers,
  };
  if (event.tenant !== null) headers[HEADER.tenant] = event.tenant;
  if (event.correlationId !== null) headers[HEADER.correlationId] = event.correlationId;
  if (event.causationId !== null) headers[HEADER.causationId] = event.causationId;
  if (event.traceparent !== null) headers[HEADER.traceparent] = event.traceparent;
  return { value: payload.value, headers };
}

/**
 * Reads the records of topics as declared events, upcast to their newest version: the one place where upcasters run, for
 * aggregates, processors and projections alike.
 */
export class EventDecoder {
  readonly #types: ReadonlyMap<string, AnyEvent>;
  readonly #clock = new MicrosClock();

  constructor(
    events: readonly AnyEvent[],
    private readonly codec: Codec,
  ) {
    this.#types = new Map(events.map((event) => [event.type, event]));
  }

  /** The event type of a record, from its header alone. @throws KAPPA_UNKNOWN_EVENT_TYPE when it has none. */
  typeOf(record: LogRecord): string {
    const type = record.headers[HEADER.type];
    if (type === undefined) throw unknownType(record, null, [...this.#types.keys()]);
    return type;
  }

  /** @throws KAPPA_UNKNOWN_EVENT_TYPE, KAPPA_UNKNOWN_EVENT_VERSION, KAPPA_UNDECODABLE, KAPPA_UPCAST_FAILED, each with its place. */
  decode(record: LogRecord): AnyRecorded {
    const type = this.typeOf(record);
    const declared = this.#types.get(type);
    if (!declared) throw unknownType(record, type, [...this.#types.keys()]);
    const { headers } = record;
    const written = Number(headers[HEADER.eventVersion] ?? '1');
    if (!Number.isInteger(written) || written < 1 || written > declared.version) {
      throw new KappaError(
        'KAPPA_UNKNOWN_EVENT_VERSION',
        `${placeOf(record)} holds ${type} in version ${headers[HEADER.eventVersion]}, this code knows 1 to ${declared.version}`,
        {
          facts: { ...placeFacts(record), type, written, known: declared.version },
          nextStep: 'Deploy the code that declares it.',
        },
      );
    }
    if (record.value === null) throw undecodable(record, 'is a tombstone');
    return {
      id: headers[HEADER.id] ?? `${record.topic}/${record.partition}/${record.offset}`,
      type,
      data: this.#upcast(declared, written, this.#payload(record, record.value), record) as Readonly<unknown>,
      stream: {
        aggregate: aggregateOf(headers[HEADER.source]),
        id: headers[HEADER.subject] ?? record.key ?? '',
        version: Number(headers[HEADER.streamVersion] ?? '0'),
      },
      tenant: headers[HEADER.tenant] ?? null,
      occurredAt: headers[HEADER.time] ?? this.#clock.iso(record.timestampUs),
      recordedAt: this.#clock.iso(record.timestampUs),
      correlationId: headers[HEADER.correlationId] ?? null,
      causationId: headers[HEADER.causationId] ?? null,
      topic: record.topic,
      partition: record.partition,
      offset: record.offset,
    };
  }

  #payload(record: LogRecord, value: Uint8Array): unknown {
    try {
      return this.codec.decode(value, record.headers);
    } catch (error) {
      throw undecodable(record, error instanceof Error ? error.message : String(error), error);
    }
  }

  #upcast(declared: AnyEvent, written: number, data: unknown, record: LogRecord): unknown {
    if (written === declared.version) return data;
    try {
      return declared.versions
        .slice(written)
        .reduce((old, next: EventVersion) => (next.upcast ? next.upcast(old as never) : old), data);
    } catch (error) {
      throw new KappaError(
        'KAPPA_UPCAST_FAILED',
        `${placeOf(record)}: the upcaster of ${declared.type} failed on version ${written}`,
        {
          facts: { ...placeFacts(record), type: declared.type, written },
          nextStep: 'Correct the upcaster; the record itself stays as it is.',
          cause: error,
        },
      );
    }
  }
}

/** {@link isoMicros} for times that come in order: what is written of a second is kept, which is most of the work. */
class MicrosClock {
  #second = NaN;
  #written = '';

  iso(timestampUs: number): string {
    const second = Math.floor(timestampUs / 1_000_000);
    if (second !== this.#second) {
      this.#second = second;
      this.#written = new Date(second * 1_000).toISOString().slice(0, -4);
    }
    return `${this.#written}${String(timestampUs - second * 1_000_000).padStart(6, '0')}Z`;
  }
}

/** Microseconds since 1970 as ISO 8601 in UTC, without losing any. */
export function isoMicros(timestampUs: number): string {
  const ms = Math.floor(timestampUs / 1000);
  const rest = String(timestampUs - ms * 1000).padStart(3, '0');
  return `${new Date(ms).toISOString().slice(0, -1)}${rest}Z`;
}

function aggregateOf(source: string | undefined): string {
  if (!source?.startsWith('/')) return '';
  const query = source.indexOf('?');
  return query < 0 ? source.slice(1) : source.slice(1, query);
}

function placeOf(record: LogRecord): string {
  return `${record.topic}/${record.partition} offset ${record.offset}`;
}

function placeFacts(record: LogRecord): Record<string, unknown> {
  return { topic: record.topic, partition: record.partition, offset: record.offset, key: record.key };
}

function unknownType(record: LogRecord, type: string | null, declared: readonly string[]): KappaError {
  const what = type === null ? 'has no ce_type header' : `holds ${JSON.stringify(type)}, which the topic does not declare`;
  return new KappaError('KAPPA_UNKNOWN_EVENT_TYPE', `${placeOf(record)} ${what}`, {
    facts: { ...placeFacts(record), type, declared },
    nextStep: `Add the event to topic('${record.topic}', { events: […] }).`,
  });
}

function undecodable(record: LogRecord, reason: string, cause?: unknown): KappaError {
  return new KappaError('KAPPA_UNDECODABLE', `${placeOf(record)} cannot be read: ${reason}`, {
    facts: placeFacts(record),
    nextStep: 'Look at it with `npx nest-kappa events read`, and at who wrote it.',
    cause,
  });
}
