import type { Api } from '../connection.js';

/** A producer as the broker numbered it; of two with one id, the higher epoch is the later. */
export interface ProducerIdentity {
  readonly producerId: bigint;
  readonly epoch: number;
}

export const NO_PRODUCER: ProducerIdentity = { producerId: -1n, epoch: -1 };

export interface TransactionScope extends ProducerIdentity {
  readonly transactionalId: string;
}

export interface TopicPartitions {
  readonly topic: string;
  readonly partitions: readonly number[];
}

/**
 * Numbers a producer. With a transactional id it raises the epoch, which fences every earlier producer of the id and ends its
 * transaction; with the identity in hand it does so only while that is still the latest (KIP-360).
 */
export const initProducerId: Api<
  ProducerIdentity & { readonly transactionalId: string | null; readonly timeoutMs: number },
  ProducerIdentity & { readonly error: number }
> = {
  key: 22,
  name: 'InitProducerId',
  version: 4,
  flexible: true,
  encode: (writer, { transactionalId, timeoutMs, producerId, epoch }) => {
    writer.compactNullableString(transactionalId).int32(timeoutMs).int64(producerId).int16(epoch).tags();
  },
  decode: (reader) => {
    reader.int32();
    return { error: reader.int16(), producerId: reader.bigint64(), epoch: reader.int16() };
  },
};

export const addPartitionsToTransaction: Api<
  TransactionScope & { readonly topics: readonly TopicPartitions[] },
  readonly { readonly topic: string; readonly partition: number; readonly error: number }[]
> = {
  key: 24,
  name: 'AddPartitionsToTxn',
  version: 2,
  flexible: false,
  encode: (writer, { transactionalId, producerId, epoch, topics }) => {
    writer
      .string(transactionalId)
      .int64(producerId)
      .int16(epoch)
      .array(topics, ({ topic, partitions }) => writer.string(topic).array(partitions, (partition) => writer.int32(partition)));
  },
  decode: (reader) => {
    reader.int32();
    return reader
      .array(() => {
        const topic = reader.string();
        return reader.array(() => ({ topic, partition: reader.int32(), error: reader.int16() }));
      })
      .flat();
  },
};

export const addOffsetsToTransaction: Api<TransactionScope & { readonly group: string }, { readonly error: number }> = {
  key: 25,
  name: 'AddOffsetsToTxn',
  version: 2,
  flexible: false,
  encode: (writer, { transactionalId, producerId, epoch, group }) => {
    writer.string(transactionalId).int64(producerId).int16(epoch).string(group);
  },
  decode: (reader) => {
    reader.int32();
    return { error: reader.int16() };
  },
};

export const commitOffsetsInTransaction: Api<
  TransactionScope & {
    readonly group: string;
    readonly metadata: string | null;
    readonly topics: readonly {
      readonly topic: string;
      readonly partitions: readonly { readonly partition: number; readonly next: number }[];
    }[];
  },
  readonly { readonly topic: string; readonly partition: number; readonly error: number }[]
> = {
  key: 28,
  name: 'TxnOffsetCommit',
  version: 2,
  flexible: false,
  encode: (writer, { transactionalId, group, producerId, epoch, topics, metadata }) => {
    writer
      .string(transactionalId)
      .string(group)
      .int64(producerId)
      .int16(epoch)
      .array(topics, ({ topic, partitions }) =>
        writer
          .string(topic)
          .array(partitions, ({ partition, next }) => writer.int32(partition).int64(next).int32(-1).nullableString(metadata)),
      );
  },
  decode: (reader) => {
    reader.int32();
    return reader
      .array(() => {
        const topic = reader.string();
        return reader.array(() => ({ topic, partition: reader.int32(), error: reader.int16() }));
      })
      .flat();
  },
};

export const endTransaction: Api<TransactionScope & { readonly commit: boolean }, { readonly error: number }> = {
  key: 26,
  name: 'EndTxn',
  version: 2,
  flexible: false,
  encode: (writer, { transactionalId, producerId, epoch, commit }) => {
    writer.string(transactionalId).int64(producerId).int16(epoch).bool(commit);
  },
  decode: (reader) => {
    reader.int32();
    return { error: reader.int16() };
  },
};
