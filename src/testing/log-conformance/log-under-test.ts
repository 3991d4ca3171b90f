import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { topicName, type Offset, type TopicName } from '../../kernel/names.js';
import { partitionKey, type PartitionKey, type Position } from '../../kernel/position.js';
import type { LogRecord, NewRecord } from '../../kernel/record.js';
import type { Retention } from '../../kernel/topic.js';
import type { EventLog, GroupMember, LogBatch } from '../../log/event-log.js';

/** The two functions of a test runner that are used: of vitest, Jest and `node:test` alike. */
export interface TestApi {
  describe(name: string, body: () => void): unknown;
  it(name: string, body: () => Promise<void>): unknown;
}

/** A log and what a test may do to it. What is left out is not tested: say why in the driver's documentation. */
export interface LogUnderTest {
  /** A started client of the log; every call gives another one, as another process has it. */
  open(): Promise<EventLog>;
  /** Stops every client and removes what was made. */
  close(): Promise<void>;
  /** Ends a client without letting it leave its groups, as a crash does. */
  crash?(log: EventLog): Promise<void>;
  /** The next write of this client reaches the log, its answer is lost with the connection. */
  loseNextAnswer?(log: EventLog): Promise<void>;
  /** True where topics are governed elsewhere, so that `createTopic` reports another retention and does not bring it about. */
  readonly reportsDifferences?: boolean;
  /** Removes now what topics need not keep, as far as the driver can: more may go later, nothing else may. */
  enforceRetention?(log: EventLog): Promise<void>;
}

export type LogFactory = () => Promise<LogUnderTest>;

/** Far beyond what anything here takes; reached only when something never comes. */
const PATIENCE_MS = 60_000;

/** Runs `body` with a client, and closes all whatever happens. */
export function withLog(factory: LogFactory, body: (log: EventLog, under: LogUnderTest) => Promise<void>): () => Promise<void> {
  return async () => {
    const under = await factory();
    try {
      await body(await under.open(), under);
    } finally {
      await under.close();
    }
  };
}

export function uniqueName(prefix: string): string {
  return `${prefix}-${randomUUID().slice(0, 8)}`;
}

export async function newTopic(log: EventLog, partitions = 2, retention: Retention | null = null): Promise<TopicName> {
  const name = topicName(uniqueName('t'));
  await log.createTopic({ name, partitions, retention });
  return name;
}

export function record(topic: TopicName, partition: number, text: string): NewRecord {
  return { topic, partition, key: text, value: Buffer.from(text), headers: { 'content-type': 'text/plain' } };
}

export function records(topic: TopicName, partition: number, count: number, prefix = 'r'): NewRecord[] {
  return Array.from({ length: count }, (_, index) => record(topic, partition, `${prefix}${index}`));
}

export function textOf(given: Pick<LogRecord, 'value'>): string {
  return given.value === null ? '' : Buffer.from(given.value).toString();
}

export function textsOf(batches: readonly LogBatch[]): string[] {
  return batches.flatMap((batch) => batch.records.map(textOf));
}

export async function beginOf(log: EventLog, topic: TopicName, partition = 0): Promise<Offset> {
  return at((await log.offsets(topic))[partition]).begin;
}

export async function endOf(log: EventLog, topic: TopicName, partition = 0): Promise<Offset> {
  return at((await log.offsets(topic))[partition]).end;
}

export function position(...places: readonly (readonly [TopicName, number, number])[]): Position {
  return Object.fromEntries(places.map(([topic, partition, offset]) => [partitionKey(topic, partition), offset]));
}

/** All that a partition holds now. */
export async function readAll(log: EventLog, topic: TopicName, partition = 0): Promise<LogRecord[]> {
  const { begin, end } = at((await log.offsets(topic))[partition]);
  const all: LogRecord[] = [];
  for await (const batch of log.read({ from: position([topic, partition, begin]), to: position([topic, partition, end]) }))
    all.push(...batch.records);
  return all;
}

/** The value, which the test knows to be there. */
export function at<T>(value: T | undefined | null): T {
  assert.ok(value !== undefined && value !== null, 'a value is missing');
  return value;
}

export function code(expected: string): (error: unknown) => boolean {
  return (error) => {
    assert.equal(error instanceof Error && 'code' in error ? error.code : String(error), expected);
    return true;
  };
}

/** Polls the members in turn until the condition holds. */
export async function pollUntil(
  members: readonly GroupMember[],
  done: () => boolean,
  onBatch: (batch: LogBatch, member: GroupMember) => void = () => undefined,
): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!done()) {
    assert.ok(performance.now() < deadline, 'what was waited for did not come');
    for (const member of members) for (const batch of await member.poll({ maxWaitMs: 50 })) onBatch(batch, member);
  }
}

export interface RecordedMember {
  readonly member: GroupMember;
  readonly events: { readonly kind: string; readonly partitions: readonly PartitionKey[] }[];
}

/** A member that writes down what it is assigned and what is revoked. */
export async function joinRecording(
  log: EventLog,
  group: string,
  topics: readonly TopicName[],
  starts: Position = {},
): Promise<RecordedMember> {
  const events: RecordedMember['events'] = [];
  const member = await log.join({
    group,
    topics,
    assigned: async (partitions) => {
      events.push({ kind: 'assigned', partitions: [...partitions] });
      return Object.fromEntries(partitions.flatMap((key) => (starts[key] === undefined ? [] : [[key, starts[key]]])));
    },
    revoked: async (partitions, reason) => {
      events.push({ kind: reason, partitions: [...partitions] });
    },
  });
  return { member, events };
}
