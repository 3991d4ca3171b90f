import { FencedError, KappaError, RetriableError } from '../../../kernel/errors.js';
import { NOWHERE, parsePartitionKey, type PartitionKey, type Position } from '../../../kernel/position.js';
import type { TopicName } from '../../../kernel/names.js';
import { LOG_OFFSETS } from '../groups/committed-offsets.js';
import { unknownTopic } from '../../record-groups.js';
import type { LogTopic } from '../log-topic.js';
import type { CommitOutcome } from '../../event-log.js';
import {
  addOffsetsToTransaction,
  addPartitionsToTransaction,
  commitOffsetsInTransaction,
  endTransaction,
  initProducerId,
  NO_PRODUCER,
  type ProducerIdentity,
  type TransactionScope,
} from '../wire/api/transactions.js';
import type { Cluster } from '../wire/cluster.js';
import { BrokerAwayError, ERROR, isError, KafkaError, passes } from '../wire/kafka-error.js';
import { nextAfter, pendingBatch, pieces, Sequences, type KafkaGroup } from './batches.js';
import { produceBatches, type PendingBatch } from './produce-batches.js';

export type GroupOffsets = ReadonlyMap<string, Position>;

/** The broker ends a transaction that is open for longer, and fences its producer. Longer than anything is tried again here. */
const TRANSACTION_TIMEOUT_MS = 60_000;
const OPERATION_NOT_ATTEMPTED = 55;

/**
 * `open`: ready for a transaction. `broken`: the last one was not committed and may still be open at the broker; it is ended,
 * by raising our own epoch, before the next one begins. `fenced`, `unknown`: over; the task is to be opened anew.
 */
type State = 'open' | 'broken' | 'fenced' | 'unknown';

/**
 * The one producer of a transactional id. Every request of a transaction is tried again within a bound, to whoever leads and
 * coordinates by then, and is safe to repeat: batches by their sequence, the end by the epoch.
 */
export class TransactionalProducer {
  readonly #role: string;
  readonly #sequences = new Sequences();
  #identity: ProducerIdentity = NO_PRODUCER;
  #state: State = 'broken';

  constructor(
    private readonly cluster: Cluster,
    readonly transactionalId: string,
    private readonly maxRecordBytes: number,
  ) {
    this.#role = `task ${transactionalId}`;
  }

  /** Fences every earlier producer of the id and ends what it left open. @throws RetriableError */
  async open(): Promise<void> {
    await this.#number(NO_PRODUCER);
  }

  /**
   * Like `open`, and leaves a marker in this partition, so that its leader, too, refuses what earlier producers of the id have under
   * way there outside of transactions. Resolves when the marker is written.
   */
  async openOn(topic: LogTopic, partition: number): Promise<ProducerIdentity> {
    await this.open();
    try {
      await this.#addPartitions([{ topic, partition }]);
    } catch (error) {
      throw isFenced(error) ? this.#fenced(error) : error;
    }
    const ended = await this.#end(NOWHERE);
    if (ended.outcome !== 'committed') throw ended.cause;
    // An end is answered before its markers are written; the id can be numbered again when they are.
    return this.renew();
  }

  /** Raises the epoch, which is allowed only while nobody took the id over. @throws FencedError */
  async renew(): Promise<ProducerIdentity> {
    try {
      await this.#number(this.#identity);
    } catch (error) {
      throw isFenced(error) ? this.#fenced(error) : error;
    }
    return this.#identity;
  }

  close(): void {
    this.cluster.release(this.#role);
  }

  /** @throws FencedError when a later producer of the id was opened; nothing was written then */
  async commit(groups: readonly KafkaGroup[], offsets: GroupOffsets): Promise<CommitOutcome> {
    if (groups.length === 0 && offsets.size === 0) return { outcome: 'committed', position: NOWHERE };
    let position: Position;
    try {
      if (this.#state === 'broken') await this.#number(this.#identity);
      if (this.#state !== 'open') throw this.#over();
      this.#state = 'broken';
      position = await this.#write(groups);
      for (const [group, committed] of offsets) await this.#commitOffsets(group, committed);
    } catch (cause) {
      return this.#givenUp(cause);
    }
    return this.#end(position);
  }

  get #scope(): TransactionScope {
    return { ...this.#identity, transactionalId: this.transactionalId };
  }

  /**
   * With no identity: the id is taken over. With one: its epoch is raised, which ends our own transaction and makes batches of
   * unknown fate void, but only while nobody took over (KIP-360).
   */
  async #number(known: ProducerIdentity): Promise<void> {
    const { transactionalId } = this;
    const numbered = await this.cluster.retry(`opening session ${transactionalId}`, async () => {
      const request = { transactionalId, timeoutMs: TRANSACTION_TIMEOUT_MS, ...known };
      const answer = await this.#ask(initProducerId, request);
      if (answer.error !== 0) throw new KafkaError(answer.error, `opening session ${transactionalId}`);
      return answer;
    });
    this.#identity = { producerId: numbered.producerId, epoch: numbered.epoch };
    this.#sequences.clear();
    this.#state = 'open';
  }

  async #write(groups: readonly KafkaGroup[]): Promise<Position> {
    if (groups.length === 0) return NOWHERE;
    await this.#addPartitions(groups);
    const position: Record<PartitionKey, number> = {};
    const parts = groups.map((group) => pieces(group.records, this.maxRecordBytes));
    const rounds = Math.max(...parts.map(({ length }) => length));
    for (let round = 0; round < rounds; round++) {
      const sent: { readonly group: KafkaGroup; readonly batch: PendingBatch; readonly records: KafkaGroup['records'] }[] = [];
      groups.forEach((group, index) => {
        const records = parts[index]?.[round];
        if (!records) return;
        const producer = { ...this.#identity, sequences: this.#sequences, transactional: true };
        sent.push({ group, records, batch: pendingBatch(group.topic, group.partition, records, producer) });
      });
      await produceBatches(
        this.cluster,
        sent.map(({ batch }) => batch),
        { role: this.#role, transactionalId: this.transactionalId },
      );
      for (const { group, records, batch } of sent)
        position[group.key] = nextAfter(group.topic, records, batch.baseOffset ?? -1);
    }
    return position;
  }

  async #addPartitions(groups: readonly Pick<KafkaGroup, 'topic' | 'partition'>[]): Promise<void> {
    const names = [...new Set(groups.map(({ topic }) => topic.name))];
    const topics = names.map((topic) => ({
      topic,
      partitions: groups.filter((group) => group.topic.name === topic).map(({ partition }) => partition),
    }));
    await this.cluster.retry('beginning a transaction', async () => {
      const answers = await this.#ask(addPartitionsToTransaction, { ...this.#scope, topics });
      const failed = answers.filter(({ error }) => error !== 0);
      const told = failed.find(({ error }) => error !== OPERATION_NOT_ATTEMPTED) ?? failed[0];
      if (told) throw failureOf(told.error, told.topic, 'beginning a transaction');
    });
  }

  async #commitOffsets(group: string, committed: Position): Promise<void> {
    await this.cluster.retry(`committing offsets of group ${group}`, async () => {
      const { error } = await this.#ask(addOffsetsToTransaction, { ...this.#scope, group });
      if (error !== 0) throw new KafkaError(error, `committing offsets of group ${group}`);
    });
    const places = (Object.entries(committed) as [PartitionKey, number][]).map(([key, next]) => ({
      ...parsePartitionKey(key),
      next,
    }));
    const topics = [...new Set(places.map(({ topic }) => topic))].map((topic) => ({
      topic,
      partitions: places.filter((place) => place.topic === topic),
    }));
    await this.cluster.retry(`committing offsets of group ${group}`, async () => {
      const request = { ...this.#scope, group, topics, metadata: LOG_OFFSETS };
      const answers = await this.cluster.sendToCoordinator('group', group, this.#role, commitOffsetsInTransaction, request);
      const failed = answers.find(({ error }) => error !== 0);
      if (failed) throw failureOf(failed.error, failed.topic, `committing offsets of group ${group}`);
    });
  }

  /** The end may be asked for again: with this epoch it is either the end of this transaction, or refused. */
  async #end(position: Position): Promise<CommitOutcome> {
    let maybeEnded = false;
    try {
      await this.cluster.retry('committing', async () => {
        try {
          const { error } = await this.#ask(endTransaction, { ...this.#scope, commit: true });
          if (error !== 0) throw new KafkaError(error, `committing ${this.transactionalId}`);
        } catch (error) {
          maybeEnded ||= error instanceof BrokerAwayError ? error.sent : isError(error, ERROR.requestTimedOut);
          throw error;
        }
      });
    } catch (cause) {
      if (!maybeEnded) return this.#givenUp(cause);
      this.#state = 'unknown';
      return { outcome: 'unknown', cause };
    }
    this.#state = 'open';
    return { outcome: 'committed', position };
  }

  /** The end was never asked for, so that nothing of the transaction can become visible. */
  async #givenUp(cause: unknown): Promise<CommitOutcome> {
    if (isFenced(cause)) {
      this.#state = 'fenced';
      throw this.#fenced(cause);
    }
    if (cause instanceof FencedError) throw cause;
    if (this.#state === 'broken' && this.#identity !== NO_PRODUCER && !(cause instanceof RetriableError)) {
      // Readers wait behind an open transaction; where the broker is away, it is ended before the next one.
      await this.#number(this.#identity).catch((error: unknown) => {
        if (isFenced(error)) this.#state = 'fenced';
      });
    }
    return { outcome: 'aborted', cause: passes(cause) ? new RetriableError('the transaction failed', { cause }) : cause };
  }

  #over(): Error {
    if (this.#state === 'fenced') return this.#fenced(undefined);
    return new KappaError(
      'KAPPA_SESSION_MISUSED',
      `session ${this.transactionalId} does not know the outcome of its last transaction`,
      { facts: { task: this.transactionalId }, nextStep: 'Open it again, which settles it, and read the position.' },
    );
  }

  #fenced(cause: unknown): FencedError {
    const { transactionalId: task } = this;
    const error = new FencedError(`task ${task}`, { task, epoch: this.#identity.epoch });
    error.cause = cause;
    return error;
  }

  #ask<Request, Answer extends { readonly error: number } | readonly { readonly error: number }[]>(
    api: Parameters<typeof this.cluster.sendToCoordinator<Request, Answer>>[3],
    request: Request,
  ): Promise<Answer> {
    return this.cluster.sendToCoordinator('transaction', this.transactionalId, this.#role, api, request);
  }
}

function failureOf(code: number, topic: string, what: string): Error {
  return code === ERROR.unknownTopicOrPartition ? unknownTopic(topic as TopicName) : new KafkaError(code, `${what}: ${topic}`);
}

export function isFenced(error: unknown): boolean {
  return isError(error, ERROR.producerFenced, ERROR.invalidProducerEpoch, ERROR.invalidProducerIdMapping);
}
