import { FencedError, KappaError } from '../../../kernel/errors.js';
import type { Logger } from '../../../kernel/logger.js';
import type { Offset, TopicName } from '../../../kernel/names.js';
import { partitionKey, type PartitionKey } from '../../../kernel/position.js';
import type { LogRecord } from '../../../kernel/record.js';
import { Backoff, pause } from '../../../database/backoff.js';
import type { EventLog, PartitionWriter } from '../../../log/event-log.js';
import type { RelayPositions } from './relay-positions.js';
import { RelayQueue, type RelayQueueLimits } from './relay-queue.js';
import { relayedRecord, relayTask } from './relay-record.js';
import type { PartitionRelayState, PartitionRelayStatus } from './relay-state.js';
import { startingPoint, type ReadableLog } from './starting-point.js';

/** What relays of all partitions work with. */
export interface PartitionRelayContext {
  readonly schema: string;
  readonly outbox: ReadableLog;
  readonly log: EventLog;
  readonly positions: RelayPositions;
  readonly limits: RelayQueueLimits;
  readonly logger: Logger;
  /** The topic stands in the log as the outbox has it. @throws KAPPA_TOPIC_MISMATCH */
  ensureTopic(topic: TopicName): Promise<void>;
}

/** The partition as it is assigned to this process. */
export interface PartitionLease {
  /** Rows come from here on. */
  readFrom(offset: Offset): void;
  /** No rows come until `resume` or `readFrom`. */
  pause(): void;
  resume(): void;
  /** Asks the database anew whether the partition is still assigned to this process. */
  stillOurs(): Promise<boolean>;
}

/** What is found does not agree, or the record itself is refused: trying again at once would not help. */
const FINAL = new Set([
  'KAPPA_RELAY_OTHER_OUTBOX',
  'KAPPA_RELAY_TOPIC_CHANGED',
  'KAPPA_RELAY_BEYOND_OUTBOX',
  'KAPPA_RELAY_OUTBOX_TRUNCATED',
  'KAPPA_RELAY_GAP',
  'KAPPA_FOREIGN_RECORD',
  'KAPPA_TOPIC_MISMATCH',
  'KAPPA_UNKNOWN_TOPIC',
  'KAPPA_UNKNOWN_PARTITION',
  'KAPPA_RECORD_TOO_LARGE',
  'KAPPA_BAD_RECORD',
]);
/** Somebody may have put it right meanwhile. */
const LOOK_AGAIN_MS = 30_000;

/**
 * Copies one partition of the outbox to the log, in order and exactly once: it goes on from the end of the topic, which it looks at
 * only after earlier owners were fenced. After any doubt it opens anew and looks again.
 */
export class PartitionRelay {
  readonly key: PartitionKey;
  readonly #queue: RelayQueue;
  readonly #stopping = new AbortController();
  readonly #backoff = new Backoff();
  #state: PartitionRelayState = 'opening';
  #since = new Date();
  #next: Offset | null = null;
  #error: string | null = null;
  #gapAt: Offset | null = null;
  /** The kind of error that was told last, for one kind is told once in ten times. */
  #told: string | null = null;
  #done: Promise<void> | null = null;

  constructor(
    private readonly context: PartitionRelayContext,
    readonly topic: TopicName,
    readonly partition: number,
    private readonly lease: PartitionLease,
  ) {
    this.key = partitionKey(topic, partition);
    this.#queue = new RelayQueue(context.limits);
  }

  get status(): PartitionRelayStatus {
    const { topic, partition } = this;
    return { topic, partition, state: this.#state, since: this.#since, next: this.#next, error: this.#error };
  }

  start(): void {
    this.#done ??= this.#run();
  }

  /** Ends after the write under way. May be called twice. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#done;
  }

  /** What was read of the partition; it gathers while a write is under way. */
  offer(rows: readonly LogRecord[]): void {
    const whole = this.#queue.offer(rows);
    if (this.#queue.isFull) this.lease.pause();
    const { expected } = this.#queue;
    if (whole || expected === null) return;
    // Read before the last `readFrom`: once more from where it was meant to be. When rows are still missing then, they are gone.
    if (this.#gapAt === expected) this.#queue.breakWith(gap(this.key, expected, firstBeyond(rows, expected)));
    else this.lease.readFrom(expected);
    this.#gapAt = expected;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    let ours = true;
    while (ours && !signal.aborted) {
      let writer: PartitionWriter | null = null;
      try {
        const { schema, log } = this.context;
        this.#enter('opening');
        await this.context.ensureTopic(this.topic);
        writer = await log.openWriter(relayTask(schema, this.topic, this.partition), this.topic, this.partition);
        await this.#relay(writer, signal);
      } catch (error) {
        ours = signal.aborted || (await this.#goOnAfter(error, signal));
      } finally {
        this.lease.pause();
        this.#queue.restart(null);
        await writer?.close();
      }
    }
    this.context.positions.leave(this.key, !ours);
  }

  async #relay(writer: PartitionWriter, signal: AbortSignal): Promise<void> {
    const { outbox, log, positions, logger } = this.context;
    const { cluster } = await outbox.identity();
    const noted = await positions.of(this.key);
    const { next, repaired } = await startingPoint(this.key, noted, outbox, log);
    // Before anything is relayed: a topic is known by it to hold rows of this outbox.
    if (!noted) await positions.note({ key: this.key, next, outbox: cluster });
    if (repaired) {
      logger.error(`relay of ${this.key}: its position was lost; set to ${next}, after the last record that was relayed`);
    }
    if (signal.aborted) return;
    if (this.#error !== null) logger.log(`relay of ${this.key}: goes on at ${next}`);
    this.#next = next;
    this.#gapAt = null;
    this.#queue.restart(next);
    this.#enter('relaying');
    this.lease.readFrom(next);
    while (!signal.aborted) {
      const rows = await this.#queue.take(signal);
      const last = rows.at(-1);
      if (!last) return;
      if (!this.#queue.isFull) this.lease.resume();
      await writer.write(rows.map(relayedRecord));
      this.#next = (last.offset + 1) as Offset;
      positions.noteSoon({ key: this.key, next: this.#next, outbox: cluster });
      this.#backoff.reset();
      this.#told = null;
    }
  }

  /** False when the partition belongs to another process now. */
  async #goOnAfter(error: unknown, signal: AbortSignal): Promise<boolean> {
    if (error instanceof FencedError) {
      // First the lease, then the writer: two owners that open at once would fence each other for ever.
      if (!(await this.#stillOurs(signal))) return false;
      this.#enter('opening');
      await this.#backoff.wait(signal);
    } else if (error instanceof KappaError && FINAL.has(error.code)) {
      this.#fail(error);
      await pause(LOOK_AGAIN_MS, signal);
    } else {
      const kind = error instanceof Error ? error.name : typeof error;
      if (kind !== this.#told || this.#backoff.attempts % 10 === 0) {
        this.context.logger.warn(`relay of ${this.key}: ${messageOf(error)}; nothing is lost, trying again`);
      }
      this.#told = kind;
      this.#enter('waiting', messageOf(error));
      await this.#backoff.wait(signal);
    }
    return true;
  }

  /** Asked until it is answered: a lease that cannot be looked at is no reason to fence whoever may have it. */
  async #stillOurs(signal: AbortSignal): Promise<boolean> {
    while (!signal.aborted) {
      try {
        return await this.lease.stillOurs();
      } catch (error) {
        this.#enter('waiting', messageOf(error));
        await this.#backoff.wait(signal);
      }
    }
    return false;
  }

  #fail(error: KappaError): void {
    if (this.#error !== error.message) this.context.logger.error(`relay of ${this.key} stopped. ${error.message}`);
    this.#enter('failed', error.message);
  }

  /** The only place where the state changes: see {@link PartitionRelayState}. An outage lasts however often it is opened meanwhile. */
  #enter(state: PartitionRelayState, error: string | null = null): void {
    if (state === 'opening' && (this.#state === 'waiting' || this.#state === 'failed')) return;
    if (state !== this.#state) this.#since = new Date();
    this.#state = state;
    this.#error = error;
  }
}

function gap(key: PartitionKey, expected: number, found: number): KappaError {
  return new KappaError('KAPPA_RELAY_GAP', `the outbox of ${key} has no rows from ${expected} to ${found - 1}`, {
    facts: { partition: key, expected, found },
    nextStep: 'Rows of an aggregate are never removed: restore them from a backup.',
  });
}

function firstBeyond(rows: readonly LogRecord[], expected: number): number {
  return rows.find(({ offset }) => offset > expected)?.offset ?? expected;
}

/** What happened, and why: a retriable error says little by itself. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  return cause instanceof Error && !error.message.includes(cause.message)
    ? `${error.message} (${messageOf(cause)})`
    : error.message;
}
