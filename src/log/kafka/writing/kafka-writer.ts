import { KappaError, FencedError, RetriableError, UnknownOutcomeError } from '../../../kernel/errors.js';
import { partitionKey } from '../../../kernel/position.js';
import type { NewRecord } from '../../../kernel/record.js';
import type { PartitionWriter } from '../../event-log.js';
import type { LogTopic } from '../log-topic.js';
import type { ProducerIdentity } from '../wire/api/transactions.js';
import { passes } from '../wire/kafka-error.js';
import { assertOwn, pendingBatch, pieces, Sequences } from './batches.js';
import type { SharedRequests } from './shared-requests.js';
import { isFenced, type TransactionalProducer } from './transactional-producer.js';

export interface KafkaWriterContext {
  readonly producer: TransactionalProducer;
  readonly topic: LogTopic;
  readonly partition: number;
  readonly requests: SharedRequests;
  readonly maxRecordBytes: number;
  readonly closed: (writer: PartitionWriter) => void;
}

/**
 * A coordinator forgets a transactional id that it has not heard of for a week, however much its producer writes, and a leader a
 * producer that has not written for a day; neither would then know that an old one is fenced. So a writer is numbered anew once in a
 * while, before it writes, which tells, too, whether it is still the latest.
 */
const NUMBERED_FOR_MS = 60 * 60_000;

/**
 * The writer of a partition: batches outside of transactions, under the number that a transactional id has. The leader refuses those
 * of an older epoch as soon as it knows a newer one, which the marker tells it that the next writer leaves when it opens
 * (decision 0126). A batch is sent once: after any failure the writer is over, and whoever opens the next looks at the end.
 */
export class KafkaWriter implements PartitionWriter {
  readonly #sequences = new Sequences();
  #numberedAt = Date.now();
  #over = false;

  private constructor(
    private readonly context: KafkaWriterContext,
    private identity: ProducerIdentity,
  ) {}

  static async open(context: KafkaWriterContext): Promise<KafkaWriter> {
    const { producer, topic, partition } = context;
    try {
      return new KafkaWriter(context, await producer.openOn(topic, partition));
    } finally {
      // Its connection is needed again only when it is numbered anew.
      producer.close();
    }
  }

  async write(records: readonly NewRecord[]): Promise<void> {
    const { topic, partition, requests, maxRecordBytes, producer } = this.context;
    if (this.#over) throw over(producer.transactionalId);
    this.#over = true;
    assertOwn([{ topic, partition, key: partitionKey(topic.name, partition), records }]);
    if (Date.now() - this.#numberedAt > NUMBERED_FOR_MS) await this.#renew();
    for (const piece of pieces(records, maxRecordBytes)) {
      const batch = pendingBatch(topic, partition, piece, {
        ...this.identity,
        sequences: this.#sequences,
        transactional: false,
      });
      try {
        await requests.write(batch);
      } catch (error) {
        throw this.#explained(error, batch.maybeWritten);
      }
    }
    this.#over = false;
  }

  async close(): Promise<void> {
    this.#over = true;
    this.context.closed(this);
  }

  async #renew(): Promise<void> {
    const { producer } = this.context;
    try {
      this.identity = await producer.renew();
      this.#sequences.clear();
      this.#numberedAt = Date.now();
    } finally {
      producer.close();
    }
  }

  #explained(error: unknown, maybeWritten: boolean): unknown {
    const { transactionalId: task } = this.context.producer;
    if (isFenced(error)) {
      const fenced = new FencedError(`task ${task}`, { task, epoch: this.identity.epoch });
      fenced.cause = error;
      return fenced;
    }
    if (maybeWritten) return new UnknownOutcomeError('it is not known whether the records were written', { cause: error });
    return passes(error) ? new RetriableError('the records were not written', { cause: error }) : error;
  }
}

function over(task: string): KappaError {
  return new KappaError('KAPPA_SESSION_MISUSED', `writer ${task} is closed, busy, or has failed`, {
    facts: { task },
    nextStep: 'Open it again, which settles what it had under way, and look at the end.',
  });
}
