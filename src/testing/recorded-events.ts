import { jsonCodec } from '../kernel/codec.js';
import { encodeEvent } from '../kernel/envelope.js';
import { KappaError } from '../kernel/errors.js';
import type { AnyEvent } from '../kernel/event.js';
import { offset, streamKey } from '../kernel/names.js';
import { partitionOf } from '../kernel/partitioner.js';
import { assertJson, checkedPayload } from '../kernel/payload.js';
import type { LogRecord } from '../kernel/record.js';
import type { AnyTopic } from '../kernel/topic.js';

/** An event, types erased. */
export interface PlainEvent {
  readonly type: string;
  readonly data: unknown;
}

export interface RecordedOptions {
  readonly tenant?: string | null;
  /** ISO 8601 with an offset. Default 2026-01-01T00:00:00.000Z. */
  readonly occurredAt?: string;
  /** Default `test`. */
  readonly aggregate?: string;
}

/** An event of a named stream; made by {@link recorded}. */
export interface RecordedEvent<E extends PlainEvent = PlainEvent> extends RecordedOptions {
  readonly streamId: string;
  readonly event: E;
}

/** `recorded('fine-17', FineCreated({ amount: '62.59' }))`: says whose event it is, and when it happened. */
export function recorded<E extends PlainEvent>(streamId: string, event: E, options: RecordedOptions = {}): RecordedEvent<E> {
  return { ...options, streamId, event };
}

/** The stream of events that are given without one. */
export const DEFAULT_STREAM = 'stream-1';
const OCCURRED_AT = '2026-01-01T00:00:00.000Z';

/** Whoever reads events: a projection or a policy. */
export interface EventReader {
  readonly kind: string;
  readonly name: string;
  readonly from: readonly AnyTopic[];
}

/** Records as an append would make them: each stream in the partition of its key, its events numbered. */
export function recordsOf(definition: EventReader, events: readonly (PlainEvent | RecordedEvent)[]): readonly LogRecord[] {
  const versions = new Map<string, number>();
  return events.map((given, n) => {
    const {
      streamId,
      event,
      tenant = null,
      occurredAt = OCCURRED_AT,
      aggregate = 'test',
    }: RecordedEvent = 'event' in given ? given : recorded(DEFAULT_STREAM, given);
    const { topic, declared } = declarationOf(definition, event.type);
    const data = checkedPayload(declared.versions.at(-1)?.shape ?? { kind: 'type' }, event.data, event.type);
    assertJson(data, event.type);
    const key = streamKey(tenant, streamId);
    const streamVersion = (versions.get(key) ?? 0) + 1;
    versions.set(key, streamVersion);
    const envelope = {
      id: `event-${n + 1}`,
      type: event.type,
      eventVersion: declared.version,
      data,
      aggregate,
      streamId,
      streamVersion,
      tenant,
      occurredAt,
    };
    const encoded = encodeEvent({ ...envelope, correlationId: null, causationId: null, traceparent: null }, jsonCodec);
    return {
      topic: topic.name,
      partition: partitionOf(key, topic.partitions),
      offset: offset(n),
      key,
      timestampUs: Date.parse(OCCURRED_AT) * 1000,
      ...encoded,
    };
  });
}

function declarationOf(definition: EventReader, type: string): { readonly topic: AnyTopic; readonly declared: AnyEvent } {
  for (const topic of definition.from) {
    const declared = topic.events.find((event) => event.type === type);
    if (declared) return { topic, declared };
  }
  const known = definition.from.flatMap((topic) => topic.events.map((event) => event.type));
  throw new KappaError(
    'KAPPA_UNKNOWN_EVENT_TYPE',
    `no topic of ${definition.kind} ${definition.name} declares ${JSON.stringify(type)}`,
    {
      facts: { type, known },
      nextStep: 'Add the event to its topic, or the topic to `from`.',
    },
  );
}
