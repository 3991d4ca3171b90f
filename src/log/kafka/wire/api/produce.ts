import type { Api } from '../connection.js';

export interface ProduceRequest {
  readonly transactionalId: string | null;
  readonly timeoutMs: number;
  readonly topics: readonly {
    readonly name: string;
    /** One batch for each partition. */
    readonly partitions: readonly { readonly partition: number; readonly batch: Uint8Array }[];
  }[];
}

export interface ProducedPartition {
  readonly topic: string;
  readonly partition: number;
  readonly error: number;
  readonly baseOffset: number;
}

const ALL_REPLICAS = -1;

export const produce: Api<ProduceRequest, readonly ProducedPartition[]> = {
  key: 0,
  name: 'Produce',
  version: 7,
  flexible: false,
  encode: (writer, { transactionalId, timeoutMs, topics }) => {
    writer
      .nullableString(transactionalId)
      .int16(ALL_REPLICAS)
      .int32(timeoutMs)
      .array(topics, ({ name, partitions }) =>
        writer.string(name).array(partitions, ({ partition, batch }) => writer.int32(partition).data(batch)),
      );
  },
  decode: (reader) =>
    reader
      .array(() => {
        const topic = reader.string();
        return reader.array(() => {
          const produced = { topic, partition: reader.int32(), error: reader.int16(), baseOffset: reader.int64() };
          reader.int64();
          reader.int64();
          return produced;
        });
      })
      .flat(),
};
