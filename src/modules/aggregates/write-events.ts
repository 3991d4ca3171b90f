import type { Codec } from '../../kernel/codec.js';
import { encodeEvent } from '../../kernel/envelope.js';
import { isoMicros } from '../../kernel/iso-micros.js';
import type { AnyRecorded } from '../../kernel/event.js';
import type { Offset } from '../../kernel/names.js';
import type { LogRecord } from '../../kernel/record.js';
import { storedHeaders } from '../../log/postgres/stored-headers.js';
import { assertRecordFits } from '../../log/record-groups.js';
import type { AggregateModel, StreamAddress } from './aggregate-model.js';
import type { EncodedEvent } from './append-request.js';
import type { DecidedEvent } from './decision.js';

/** What all events of one command share. */
export interface EventContext {
  readonly address: StreamAddress;
  /** The version that was decided on. */
  readonly version: number;
  /** Milliseconds since 1970. */
  readonly nowMs: number;
  readonly occurredAt: string;
  readonly correlationId: string;
  readonly causationId: string;
  readonly traceparent: string | null;
  readonly newId: () => string;
}

export interface WrittenEvent {
  readonly encoded: EncodedEvent;
  /** As it will be read again, from the bytes that are written. */
  readonly recorded: AnyRecorded;
  readonly place: AwaitedPlace;
}

/**
 * Where and when an event is recorded, which only the append tells. Whoever asks earlier is given what is likely, and the model
 * counts that: what was decided by it has to be decided again.
 */
class AwaitedPlace {
  #offset: number | null = null;
  #recordedAt: string | null = null;

  constructor(
    private readonly model: AggregateModel,
    private readonly nowMs: number,
  ) {}

  get offset(): number {
    if (this.#offset === null) this.model.guessedPlaces += 1;
    return this.#offset ?? 0;
  }

  get recordedAt(): string {
    if (this.#recordedAt === null) this.model.guessedPlaces += 1;
    return this.#recordedAt ?? isoMicros(this.nowMs * 1_000);
  }

  become(offset: number, recordedAt: string): void {
    this.#offset = offset;
    this.#recordedAt = recordedAt;
  }
}

/** @throws KAPPA_RECORD_TOO_LARGE, before anything is appended */
export function writeEvents(
  model: AggregateModel,
  codec: Codec,
  maxRecordBytes: number,
  events: readonly DecidedEvent[],
  context: EventContext,
): readonly WrittenEvent[] {
  const { address } = context;
  const { name, topic } = model.definition;
  return events.map((event, index) => {
    const streamVersion = context.version + index + 1;
    const { value, headers } = encodeEvent(
      {
        id: context.newId(),
        type: event.type,
        eventVersion: event.version,
        data: event.data,
        aggregate: name,
        streamId: address.id,
        streamVersion,
        tenant: address.tenant,
        occurredAt: context.occurredAt,
        correlationId: context.correlationId,
        causationId: context.causationId,
        traceparent: context.traceparent,
      },
      codec,
    );
    const record: LogRecord = {
      topic: topic.name,
      partition: address.partition,
      offset: 0 as Offset,
      timestampUs: context.nowMs * 1_000,
      key: address.key,
      value,
      headers,
    };
    assertRecordFits(record, maxRecordBytes);
    const place = new AwaitedPlace(model, context.nowMs);
    return {
      encoded: { type: event.type, value, headers, storedHeaders: storedHeaders(headers, address.key, streamVersion) },
      recorded: model.frozenItself(withPlace(model.decode(record), place)),
      place,
    };
  });
}

const PLACE = Symbol('place');

interface Placed {
  readonly [PLACE]: AwaitedPlace;
}

/** Getters that all events share: of their own they would make each event an object of another shape, four times as large. */
const RECORDED_AT = {
  get(this: Placed) {
    return this[PLACE].recordedAt;
  },
  enumerable: true,
  configurable: true,
};
const OFFSET = {
  get(this: Placed) {
    return this[PLACE].offset;
  },
  enumerable: true,
  configurable: true,
};

function withPlace(event: AnyRecorded, place: AwaitedPlace): AnyRecorded {
  const { id, type, data, stream, tenant, occurredAt } = event;
  const placed: { -readonly [Name in keyof AnyRecorded]?: AnyRecorded[Name] } = { id, type, data, stream, tenant, occurredAt };
  Object.defineProperty(placed, PLACE, { value: place });
  Object.defineProperty(placed, 'recordedAt', RECORDED_AT);
  placed.correlationId = event.correlationId;
  placed.causationId = event.causationId;
  placed.topic = event.topic;
  placed.partition = event.partition;
  return Object.defineProperty(placed, 'offset', OFFSET) as AnyRecorded;
}

/**
 * The events as they now stand in the log. `nextOffset` is one past the last of them. What was made of them before, states above
 * all, sees their places from now on.
 */
export function asRecorded(written: readonly WrittenEvent[], nextOffset: number, recordedAtUs: number): readonly AnyRecorded[] {
  const recordedAt = isoMicros(recordedAtUs);
  return written.map(({ recorded, place }, index) => {
    const offset = nextOffset - written.length + index;
    place.become(offset, recordedAt);
    const { id, type, data, stream, tenant, occurredAt, correlationId, causationId, topic, partition } = recorded;
    // Each by its name: a copy of all that an object has is slow.
    return { id, type, data, stream, tenant, occurredAt, recordedAt, correlationId, causationId, topic, partition, offset };
  });
}
