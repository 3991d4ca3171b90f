import type { AnyRecorded, EventStream } from './event.js';
import { plain } from './plain.js';

type Values = [
  id: string,
  type: string,
  data: unknown,
  stream: EventStream,
  tenant: string | null,
  occurredAt: string,
  recordedAt: string,
  correlationId: string | null,
  causationId: string | null,
  topic: string,
  partition: number,
  offset: number,
];

/** An event as it stands in the log; wherever one is made it is made here, so that all have one hidden class. */
export const RecordedEvent = plain<AnyRecorded, Values>(
  function (id, type, data, stream, tenant, occurredAt, recordedAt, correlationId, causationId, topic, partition, offset) {
    this.id = id;
    this.type = type;
    this.data = data as Readonly<unknown>;
    this.stream = stream;
    this.tenant = tenant;
    this.occurredAt = occurredAt;
    this.recordedAt = recordedAt;
    this.correlationId = correlationId;
    this.causationId = causationId;
    this.topic = topic;
    this.partition = partition;
    this.offset = offset;
  },
);

export const StreamOfEvent = plain<EventStream, [aggregate: string, id: string, version: number]>(
  function (aggregate, id, version) {
    this.aggregate = aggregate;
    this.id = id;
    this.version = version;
  },
);
