import type { Codec } from './codec.js';
import { HEADER } from './envelope.js';
import { KappaError } from './errors.js';
import type { AnyEvent, AnyRecorded, EventVersion } from './event.js';
import type { DecodeRecord, ForeignRecord } from './foreign-record.js';
import { MicrosClock } from './iso-micros.js';
import { isIsoTime } from './iso-time.js';
import { checkedPayload } from './payload.js';
import type { LogRecord } from './record.js';
import { RecordedEvent, StreamOfEvent } from './recorded-event.js';
import type { AnyTopic } from './topic.js';

/**
 * Reads the records of topics as declared events, upcast to their newest version: the one place where upcasters run, for
 * aggregates, processors and projections alike.
 */
export class EventDecoder {
  readonly #types: ReadonlyMap<string, AnyEvent>;
  readonly #foreign: ReadonlyMap<string, DecodeRecord>;
  readonly #clock = new MicrosClock();

  constructor(
    topics: readonly Pick<AnyTopic, 'name' | 'events' | 'decode'>[],
    private readonly codec: Codec,
  ) {
    this.#types = new Map(topics.flatMap(({ events }) => events.map((event) => [event.type, event])));
    this.#foreign = new Map(topics.flatMap(({ name, decode }) => (decode === null ? [] : [[name, decode]])));
  }

  /** True for a record that only the topic's own `decode` can read: it carries none of the declared types. */
  isForeign(record: LogRecord): boolean {
    if (this.#foreign.size === 0 || !this.#foreign.has(record.topic)) return false;
    const type = record.headers[HEADER.type];
    return type === undefined || !this.#types.has(type);
  }

  /**
   * Reads a foreign record with its topic's `decode`; null where that says that it is of no interest.
   * @throws KAPPA_UNDECODABLE for what `decode` throws or returns amiss; KAPPA_INVALID_PAYLOAD for data against the event's shape.
   */
  decodeForeign(record: LogRecord): AnyRecorded | null {
    const decode = this.#foreign.get(record.topic);
    if (!decode) throw unknownType(record, record.headers[HEADER.type] ?? null, [...this.#types.keys()]);
    const recordedAt = this.#clock.iso(record.timestampUs);
    let found: ReturnType<DecodeRecord>;
    try {
      found = decode(foreignRecord(record, recordedAt));
    } catch (error) {
      throw undecodable(record, error instanceof Error ? error.message : String(error), error);
    }
    if (found === null) return null;
    const type = (found as Partial<typeof found> | undefined)?.event?.type;
    const declared = type === undefined ? undefined : this.#types.get(type);
    if (!declared) {
      const what = type === undefined ? 'something that is no event' : `${type}, which the topic does not declare`;
      throw undecodable(record, `decode of topic ${record.topic} returned ${what}`);
    }
    const { event, occurredAt = recordedAt } = found;
    if (!isIsoTime(occurredAt))
      throw undecodable(
        record,
        `decode of topic ${record.topic} returned ${JSON.stringify(occurredAt)} for occurredAt, which is no date and time in ISO 8601 with an offset`,
      );
    const { topic, partition, offset } = record;
    const shape = declared.versions.at(-1)?.shape ?? { kind: 'type' };
    return new RecordedEvent(
      found.id ?? `${topic}/${partition}/${offset}`,
      declared.type,
      checkedPayload(shape, event.data, `${placeOf(record)} as ${type}`),
      new StreamOfEvent(found.source ?? topic, found.key ?? record.key ?? '', 0),
      found.tenant ?? null,
      occurredAt,
      recordedAt,
      found.correlationId ?? null,
      found.causationId ?? null,
      topic,
      partition,
      offset,
    );
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
    const { topic, partition, offset, key } = record;
    const recordedAt = this.#clock.iso(record.timestampUs);
    const version = Number(headers[HEADER.streamVersion] ?? '0');
    return new RecordedEvent(
      headers[HEADER.id] ?? `${topic}/${partition}/${offset}`,
      type,
      this.#upcast(declared, written, this.#payload(record, record.value), record),
      new StreamOfEvent(aggregateOf(headers[HEADER.source]), headers[HEADER.subject] ?? key ?? '', version),
      headers[HEADER.tenant] ?? null,
      headers[HEADER.time] ?? recordedAt,
      recordedAt,
      headers[HEADER.correlationId] ?? null,
      headers[HEADER.causationId] ?? null,
      topic,
      partition,
      offset,
    );
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

function aggregateOf(source: string | undefined): string {
  if (!source?.startsWith('/')) return '';
  const query = source.indexOf('?');
  return query < 0 ? source.slice(1) : source.slice(1, query);
}

function foreignRecord(record: LogRecord, recordedAt: string): ForeignRecord {
  const { topic, partition, offset, key, value, headers } = record;
  const text = (): string =>
    value === null ? '' : Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('utf8');
  return { topic, partition, offset, key, value, headers, recordedAt, text, json: () => JSON.parse(text()) as unknown };
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
