import type { TopicName } from '../../../kernel/names.js';
import { Reader, Writer } from '../wire/codec.js';

/**
 * What members tell one another, in the form of Kafka's own consumers, so that its tools show topics and partitions
 * (`kafka-consumer-groups.sh --describe`). What they hold stands in the user data.
 */
export const PROTOCOL = 'kappa-numbers';

export interface Subscription {
  readonly topics: readonly TopicName[];
  readonly owned: readonly number[];
  readonly generation: number;
}

export interface TopicAssignment {
  readonly topic: string;
  readonly partitions: readonly number[];
}

const VERSION = 0;

export function encodeSubscription({ topics, owned, generation }: Subscription): Buffer {
  const held = new Writer();
  held.int32(generation).array(owned, (number) => held.int32(number));
  const writer = new Writer();
  writer.int16(VERSION).array(topics, (topic) => writer.string(topic));
  return writer.data(held.bytes).bytes;
}

export function decodeSubscription(bytes: Buffer): Subscription {
  const reader = new Reader(bytes);
  reader.int16();
  const topics = reader.array(() => reader.string() as TopicName);
  const held = new Reader(reader.data());
  return { topics, generation: held.int32(), owned: held.array(() => held.int32()) };
}

export function encodeAssignment(assignment: readonly TopicAssignment[]): Buffer {
  const writer = new Writer();
  writer.int16(VERSION).array(assignment, ({ topic, partitions }) => {
    writer.string(topic).array(partitions, (partition) => writer.int32(partition));
  });
  return writer.data(Buffer.alloc(0)).bytes;
}

/** The topics that a member of any client subscribed to; every version of the form begins with them. */
export function decodeTopics(bytes: Buffer): readonly TopicName[] {
  if (bytes.length === 0) return [];
  const reader = new Reader(bytes);
  reader.int16();
  return reader.array(() => reader.string() as TopicName);
}

/** The partition numbers of an assignment. */
export function decodeNumbers(bytes: Buffer): readonly number[] {
  const numbers = decodeAssignment(bytes).flatMap(({ partitions }) => partitions);
  return [...new Set(numbers)].sort((a, b) => a - b);
}

/** What a member of any client owns. */
export function decodeAssignment(bytes: Buffer): readonly TopicAssignment[] {
  if (bytes.length === 0) return [];
  const reader = new Reader(bytes);
  reader.int16();
  return reader.array(() => ({ topic: reader.string(), partitions: reader.array(() => reader.int32()) }));
}
