import { HEADER } from '../../../kernel/envelope.js';
import { KappaError } from '../../../kernel/errors.js';
import { topicName, type Offset } from '../../../kernel/names.js';
import { parsePartitionKey, partitionKey, type PartitionKey } from '../../../kernel/position.js';
import type { LogRecord } from '../../../kernel/record.js';
import type { EventLog, PartitionOffsets } from '../../../log/event-log.js';
import type { RelayPosition } from './relay-record.js';

export type ReadableLog = Pick<EventLog, 'offsets' | 'read' | 'identity' | 'driver'>;

export interface StartingPoint {
  /** The next log offset to relay. */
  readonly next: Offset;
  /** Nothing was noted although records were relayed. */
  readonly repaired: boolean;
}

/**
 * Where the relay of a partition goes on, once its writer is open: at the end of the topic, which must not lie before what was
 * noted, nor outside of the outbox. Anything else would repeat or leave out events without a word.
 *
 * Records beyond what was noted are the outbox's own if the last of them is.
 * @throws KAPPA_RELAY_OTHER_OUTBOX, KAPPA_RELAY_TOPIC_CHANGED, KAPPA_RELAY_BEYOND_OUTBOX, KAPPA_RELAY_OUTBOX_TRUNCATED
 */
export async function startingPoint(
  key: PartitionKey,
  stored: RelayPosition | null,
  outbox: ReadableLog,
  log: ReadableLog,
): Promise<StartingPoint> {
  const { cluster } = await outbox.identity();
  const relayed = await boundsOf(log, key);
  const appended = await boundsOf(outbox, key);
  if (stored && stored.outbox !== cluster) throw otherOutbox(key, { outbox: cluster, relayedFrom: stored.outbox });
  if (stored && stored.next > relayed.end) throw topicChanged(key, stored.next, relayed, log.driver);
  const next = relayed.end;
  if (next > appended.end) throw beyondOutbox(key, next, appended);
  if (next < appended.begin) throw outboxTruncated(key, next, appended);
  if (next > (stored?.next ?? 0) && !(await isSameRecord(key, (next - 1) as Offset, outbox, log)))
    throw otherOutbox(key, { outbox: cluster });
  return { next, repaired: stored === null && next > 0 };
}

/** Whether both logs hold the same event at this offset. */
async function isSameRecord(key: PartitionKey, at: Offset, outbox: ReadableLog, log: ReadableLog): Promise<boolean> {
  const [row, record] = await Promise.all([recordAt(outbox, key, at), recordAt(log, key, at)]);
  return row !== null && record !== null && row.key === record.key && row.headers[HEADER.id] === record.headers[HEADER.id];
}

async function recordAt(log: ReadableLog, key: PartitionKey, at: Offset): Promise<LogRecord | null> {
  for await (const { records } of log.read({ from: { [key]: at }, to: { [key]: at + 1 } })) {
    const found = records.find(({ offset }) => offset === at);
    if (found) return found;
  }
  return null;
}

async function boundsOf(log: ReadableLog, key: PartitionKey): Promise<PartitionOffsets> {
  const { topic, partition } = parsePartitionKey(key);
  const bounds = (await log.offsets(topicName(topic)))[partition];
  if (bounds) return bounds;
  throw new KappaError('KAPPA_UNKNOWN_PARTITION', `the ${log.driver} log has no ${partitionKey(topic, partition)}`, {
    facts: { topic, partition },
    nextStep: 'Give the topic as many partitions as its outbox has.',
  });
}

function otherOutbox(key: PartitionKey, facts: Readonly<Record<string, unknown>>): KappaError {
  return new KappaError(
    'KAPPA_RELAY_OTHER_OUTBOX',
    `${key} holds other records than this outbox: they were relayed from another database`,
    {
      facts: { partition: key, ...facts },
      nextStep:
        'Give each application topics with names of its own, or a cluster of its own; two outboxes must not be relayed to one topic.',
    },
  );
}

function topicChanged(key: PartitionKey, next: number, { begin, end }: PartitionOffsets, driver: string): KappaError {
  const { topic } = parsePartitionKey(key);
  return new KappaError(
    'KAPPA_RELAY_TOPIC_CHANGED',
    `${key} was relayed up to ${next}, but its topic in the ${driver} log ends at ${end}: it was deleted, truncated, or restored from an older state`,
    {
      facts: { partition: key, next, begin, end },
      nextStep: `Restore the topic. Where that cannot be done, delete topic ${topic}, run \`npx nest-kappa relay restart ${topic}\`, and rebuild what was projected from it.`,
    },
  );
}

function beyondOutbox(key: PartitionKey, next: number, { begin, end }: PartitionOffsets): KappaError {
  return new KappaError(
    'KAPPA_RELAY_BEYOND_OUTBOX',
    `${key} was relayed up to ${next}, but its outbox ends at ${end}: the database was restored from an older state`,
    {
      facts: { partition: key, next, begin, end },
      nextStep: 'Restore the database to a state that holds what was relayed; events were published that it does not know.',
    },
  );
}

function outboxTruncated(key: PartitionKey, next: number, { begin, end }: PartitionOffsets): KappaError {
  return new KappaError(
    'KAPPA_RELAY_OUTBOX_TRUNCATED',
    `${key} was relayed up to ${next}, but its outbox begins at ${begin}: what lies between was removed before it was relayed`,
    { facts: { partition: key, next, begin, end }, nextStep: 'Restore the rows of the outbox from a backup.' },
  );
}
