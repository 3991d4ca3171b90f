import { KappaError } from './errors.js';
import { topicName, type TopicName } from './names.js';
import type { AnyEvent } from './event.js';
import type { DecodeRecord } from './foreign-record.js';

/** How long records are kept; the default is for ever. */
export interface Retention {
  /** Records older than this many milliseconds (by append time) may be removed. */
  readonly ms?: number;
  /** Oldest records of a partition may be removed beyond this many bytes. */
  readonly bytes?: number;
}

export interface TopicOptions<Es extends readonly AnyEvent[]> {
  /** Default 8. Fixed when the topic is created: another number would move keys and break their order. */
  readonly partitions?: number;
  /** The events this topic may hold. */
  readonly events: Es;
  /** Default: kept for ever. A topic that an aggregate writes to must be kept for ever. */
  readonly retention?: Retention;
  /** Of each key the newest record is kept, older ones may go. Default false; Kafka alone can. Not for a topic that an aggregate writes to. */
  readonly compaction?: boolean;
  /**
   * Reads what other services write to this topic in a shape of their own: called for every record whose `ce_type` header names
   * none of `events`. Default: such a record is KAPPA_UNKNOWN_EVENT_TYPE. Not for a topic that an aggregate writes to.
   */
  readonly decode?: DecodeRecord<NoInfer<Es[number]>>;
}

/** A topic: a named, partitioned, append-only sequence of records. Made by {@link topic}. */
export interface Topic<E extends AnyEvent> {
  readonly name: TopicName;
  readonly partitions: number;
  readonly events: readonly E[];
  readonly retention: Retention | null;
  readonly compaction: boolean;
  /** Null where the topic holds our own events only. */
  readonly decode: DecodeRecord | null;
}

export type AnyTopic = Topic<AnyEvent>;

const DEFAULT_PARTITIONS = 8;
const MAX_PARTITIONS = 1_000;

/**
 * Declares a topic and the events it holds: `topic('fines', { partitions: 8, events: [FineCreated] })`.
 * @throws KAPPA_BAD_TOPIC for a bad number of partitions, no or twice-declared events; KAPPA_BAD_NAME for its name.
 */
export function topic<const N extends string, const Es extends readonly AnyEvent[]>(
  name: N,
  options: TopicOptions<Es>,
): Topic<Es[number]> {
  const partitions = options.partitions ?? DEFAULT_PARTITIONS;
  if (!Number.isInteger(partitions) || partitions < 1 || partitions > MAX_PARTITIONS) {
    throw badTopic(name, `has ${partitions} partitions`, `Give a whole number from 1 to ${MAX_PARTITIONS}.`);
  }
  const types = options.events.map((event) => event.type);
  const twice = types.find((type, index) => types.indexOf(type) !== index);
  if (twice !== undefined) throw badTopic(name, `declares ${twice} twice`, 'List each event once, in its newest version.');
  for (const [unit, value] of Object.entries(options.retention ?? {})) {
    if (!Number.isSafeInteger(value) || value <= 0)
      throw badTopic(name, `has a retention.${unit} of ${value}`, 'Give a whole number above 0.');
  }
  return Object.freeze({
    name: topicName(name),
    partitions,
    events: Object.freeze([...options.events]),
    retention: options.retention ? Object.freeze({ ...options.retention }) : null,
    compaction: options.compaction ?? false,
    decode: options.decode ?? null,
  });
}

function badTopic(name: string, what: string, nextStep: string): KappaError {
  return new KappaError('KAPPA_BAD_TOPIC', `topic ${name} ${what}`, { facts: { topic: name }, nextStep });
}
