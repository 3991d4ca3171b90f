import type { Codec } from '../../kernel/codec.js';
import { encodeEvent } from '../../kernel/envelope.js';
import { isoMicros } from '../../kernel/event-decoder.js';
import type { AnyRecorded } from '../../kernel/event.js';
import type { Offset } from '../../kernel/names.js';
import { assertRecordFits } from '../../log/record-groups.js';
import type { AggregateModel, StreamAddress } from './aggregate-model.js';
import type { EncodedEvent } from './append-request.js';
import type { DecidedEvent } from './decision.js';

/** What all events of one command share. */
export interface EventContext {
  readonly address: StreamAddress;
  /** The version that was decided on. */
  readonly version: number;
  readonly now: Date;
  readonly occurredAt: string;
  readonly correlationId: string;
  readonly causationId: string;
  readonly traceparent: string | null;
  readonly newId: () => string;
}

export interface WrittenEvent {
  readonly encoded: EncodedEvent;
  /** As it will be read again, from the bytes that are written; its offset and time are known only after the append. */
  readonly recorded: AnyRecorded;
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
    const { value, headers } = encodeEvent(
      {
        id: context.newId(),
        type: event.type,
        eventVersion: event.version,
        data: event.data,
        aggregate: name,
        streamId: address.id,
        streamVersion: context.version + index + 1,
        tenant: address.tenant,
        occurredAt: context.occurredAt,
        correlationId: context.correlationId,
        causationId: context.causationId,
        traceparent: context.traceparent,
      },
      codec,
    );
    const record = { topic: topic.name, partition: address.partition, key: address.key, value, headers };
    assertRecordFits(record, maxRecordBytes);
    return {
      encoded: { type: event.type, value, headers: JSON.stringify(headers) },
      recorded: model.decode({ ...record, offset: 0 as Offset, timestampUs: context.now.getTime() * 1000 }),
    };
  });
}

/** The events as they now stand in the log. `nextOffset` is one past the last of them. */
export function asRecorded(written: readonly WrittenEvent[], nextOffset: number, recordedAtUs: number): readonly AnyRecorded[] {
  const recordedAt = isoMicros(recordedAtUs);
  return written.map(({ recorded }, index) => ({ ...recorded, recordedAt, offset: nextOffset - written.length + index }));
}
