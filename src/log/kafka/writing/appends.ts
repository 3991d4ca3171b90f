import { randomUUID } from 'node:crypto';
import { RetriableError, UnknownOutcomeError } from '../../../kernel/errors.js';
import type { PartitionKey, Position } from '../../../kernel/position.js';
import { recordBytes, type NewRecord } from '../../../kernel/record.js';
import { initProducerId, NO_PRODUCER, type ProducerIdentity } from '../wire/api/transactions.js';
import type { Cluster } from '../wire/cluster.js';
import { KafkaError } from '../wire/kafka-error.js';
import { nextAfter, pendingBatch, pieces, Sequences, type KafkaGroup } from './batches.js';
import { produceBatches, type PendingBatch } from './produce-batches.js';
import { TransactionalProducer } from './transactional-producer.js';

interface Waiting {
  readonly groups: readonly KafkaGroup[];
  resolve(position: Position): void;
  reject(error: unknown): void;
}

/** Appends that share a batch. */
interface Shared {
  readonly group: KafkaGroup;
  readonly records: NewRecord[];
  readonly parts: { readonly append: Waiting; readonly count: number }[];
  bytes: number;
}

const ROLE = 'append';

/**
 * What is appended outside of sessions. A batch is written whole or not at all, so that an append to one partition that fits into
 * one needs no transaction and leaves no marker in the log (decision 0096); any other append is one. While some are being written
 * the next ones gather.
 */
export class Appends {
  readonly #sequences = new Sequences();
  #identity: ProducerIdentity | null = null;
  #transactions: TransactionalProducer | null = null;
  #waiting: Waiting[] = [];
  #writing: Promise<void> | null = null;

  constructor(
    private readonly cluster: Cluster,
    private readonly maxRecordBytes: number,
  ) {}

  /** @throws RetriableError, UnknownOutcomeError */
  append(groups: readonly KafkaGroup[]): Promise<Position> {
    return new Promise<Position>((resolve, reject) => {
      this.#waiting.push({ groups, resolve, reject });
      this.#writing ??= this.#writeAll().finally(() => (this.#writing = null));
    });
  }

  /** What is under way ends by itself, or with the cluster. */
  async stop(): Promise<void> {
    await this.#writing;
    this.#transactions?.close();
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const waiting = this.#waiting.splice(0);
      const alone = waiting.filter(({ groups: [group, other] }) => group && !other && this.#fits(group));
      for (const round of this.#shared(alone)) await this.#writeShared(round);
      const others = waiting.filter((each) => !alone.includes(each));
      for (const each of others) await this.#writeTogether(each);
    }
  }

  #fits({ records }: KafkaGroup): boolean {
    return pieces(records, this.maxRecordBytes).length === 1;
  }

  /** In rounds of one batch a partition, each with as many appends as fit, in their order. */
  #shared(appends: readonly Waiting[]): Shared[][] {
    const rounds: Map<PartitionKey, Shared>[] = [];
    const newest = new Map<PartitionKey, number>();
    for (const append of appends) {
      const group = append.groups[0] as KafkaGroup;
      const bytes = group.records.reduce((sum, record) => sum + recordBytes(record), 0);
      let round = newest.get(group.key) ?? 0;
      const open = rounds[round]?.get(group.key);
      if (open && open.bytes + bytes > this.maxRecordBytes) round += 1;
      newest.set(group.key, round);
      const shares = (rounds[round] ??= new Map<PartitionKey, Shared>());
      const shared = shares.get(group.key) ?? { group, records: [], parts: [], bytes: 0 };
      shares.set(group.key, shared);
      shared.records.push(...group.records);
      shared.parts.push({ append, count: group.records.length });
      shared.bytes += bytes;
    }
    return rounds.map((shares) => [...shares.values()]);
  }

  async #writeShared(round: readonly Shared[]): Promise<void> {
    let batches: readonly PendingBatch[] = [];
    let failure: unknown = null;
    try {
      const identity = await this.#number();
      const producer = { ...identity, sequences: this.#sequences, transactional: false };
      batches = round.map(({ group, records }) => pendingBatch(group.topic, group.partition, records, producer));
      await produceBatches(this.cluster, batches, { role: ROLE, transactionalId: null });
    } catch (error) {
      failure = error;
      // Batches of unknown fate leave a gap in the sequence, or none: another producer has neither.
      this.#identity = null;
    }
    round.forEach(({ group, records, parts }, index) => {
      const batch = batches[index];
      if (batch?.baseOffset === undefined || batch.baseOffset === null) {
        const error = failureOf(failure, batch?.maybeWritten ?? false);
        for (const { append } of parts) append.reject(error);
        return;
      }
      let count = 0;
      for (const part of parts) {
        count += part.count;
        part.append.resolve({ [group.key]: nextAfter(group.topic, records.slice(0, count), batch.baseOffset) });
      }
    });
  }

  async #writeTogether(append: Waiting): Promise<void> {
    try {
      this.#transactions ??= await this.#openTransactions();
      const result = await this.#transactions.commit(append.groups, new Map());
      if (result.outcome === 'committed') append.resolve(result.position);
      else append.reject(failureOf(result.cause, result.outcome === 'unknown'));
      if (result.outcome === 'unknown') this.#dropTransactions();
    } catch (error) {
      this.#dropTransactions();
      // Its id is nobody else's: fenced means that the broker had ended the transaction by its timeout.
      append.reject(failureOf(error, false));
    }
  }

  async #number(): Promise<ProducerIdentity> {
    if (this.#identity) return this.#identity;
    const identity = await this.cluster.retry('opening the log for writing', async () => {
      const request = { ...NO_PRODUCER, transactionalId: null, timeoutMs: 0 };
      const answer = await this.cluster.sendToAny(initProducerId, request);
      if (answer.error !== 0) throw new KafkaError(answer.error, 'opening the log for writing');
      return answer;
    });
    this.#sequences.clear();
    return (this.#identity = { producerId: identity.producerId, epoch: identity.epoch });
  }

  async #openTransactions(): Promise<TransactionalProducer> {
    const producer = new TransactionalProducer(this.cluster, `kappa-append-${randomUUID()}`, this.maxRecordBytes);
    await producer.open();
    return producer;
  }

  #dropTransactions(): void {
    this.#transactions?.close();
    this.#transactions = null;
  }
}

function failureOf(cause: unknown, maybeWritten: boolean): unknown {
  if (maybeWritten) return new UnknownOutcomeError('the answer to an append was lost', { cause });
  return cause instanceof KafkaError ? new RetriableError('the append failed', { cause }) : cause;
}
