import type { Codec } from '../../kernel/codec.js';
import { encodeEvent } from '../../kernel/envelope.js';
import { isoMicros } from '../../kernel/iso-micros.js';
import type { AnyRecorded } from '../../kernel/event.js';
import type { Offset } from '../../kernel/names.js';
import { plain } from '../../kernel/plain.js';
import { StoredRecord } from '../../kernel/record.js';
import { RecordedEvent } from '../../kernel/recorded-event.js';
import { storedHeaders } from '../../log/postgres/stored-headers.js';
import { assertRecordFits } from '../../log/record-groups.js';
import type { AggregateModel, StreamAddress } from './aggregate-model.js';
import { EncodedEvent } from './append-request.js';
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

/** An event of a command, as it is appended and as it will be read. */
export class WrittenEvent {
  constructor(
    readonly encoded: EncodedEvent,
    /** As it will be read again, from the bytes that are written. */
    readonly recorded: AnyRecorded,
    readonly place: AwaitedPlace,
  ) {}
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
    const { partition, key } = address;
    const record = new StoredRecord(topic.name, partition, 0 as Offset, context.nowMs * 1_000, key, value, headers);
    assertRecordFits(record, maxRecordBytes);
    const place = new AwaitedPlace(model, context.nowMs);
    const encoded = new EncodedEvent(event.type, value, headers, storedHeaders(headers, key, streamVersion));
    return new WrittenEvent(encoded, model.frozenItself(new PlacedEvent(model.decode(record), place)), place);
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

const PlacedEvent = plain<AnyRecorded, [event: AnyRecorded, place: AwaitedPlace]>(function (event, place) {
  this.id = event.id;
  this.type = event.type;
  this.data = event.data;
  this.stream = event.stream;
  this.tenant = event.tenant;
  this.occurredAt = event.occurredAt;
  Object.defineProperty(this, PLACE, { value: place });
  Object.defineProperty(this, 'recordedAt', RECORDED_AT);
  this.correlationId = event.correlationId;
  this.causationId = event.causationId;
  this.topic = event.topic;
  this.partition = event.partition;
  Object.defineProperty(this, 'offset', OFFSET);
});

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
    return new RecordedEvent(
      id,
      type,
      data,
      stream,
      tenant,
      occurredAt,
      recordedAt,
      correlationId,
      causationId,
      topic,
      partition,
      offset,
    );
  });
}
