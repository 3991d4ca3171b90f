import type { Api } from '../connection.js';

export interface FetchRequest {
  /** How long the broker waits for `minBytes`. */
  readonly maxWaitMs: number;
  readonly minBytes: number;
  /** Of the whole answer; one batch is given, whatever its size. */
  readonly maxBytes: number;
  readonly topics: readonly {
    readonly id: string;
    readonly partitions: readonly { readonly partition: number; readonly offset: number; readonly maxBytes: number }[];
  }[];
}

export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: number;
}

export interface FetchedPartition {
  readonly topicId: string;
  readonly partition: number;
  readonly error: number;
  readonly highWatermark: number;
  /** Where the first transaction begins that has not ended; the high watermark while there is none. */
  readonly lastStableOffset: number;
  readonly logStart: number;
  readonly aborted: readonly AbortedTransaction[];
  /** Record batches as they lie in the log; the last one may be cut off. */
  readonly records: Buffer;
}

export interface FetchAnswer {
  readonly error: number;
  readonly partitions: readonly FetchedPartition[];
}

const READ_COMMITTED = 1;

/** Committed records only, and by topic id, so that a topic that was deleted and created again is never read as the former. */
export const fetchRecords: Api<FetchRequest, FetchAnswer> = {
  key: 1,
  name: 'Fetch',
  version: 13,
  flexible: true,
  encode: (writer, { maxWaitMs, minBytes, maxBytes, topics }) => {
    // No replica, and no fetch session.
    writer.int32(-1).int32(maxWaitMs).int32(minBytes).int32(maxBytes).int8(READ_COMMITTED).int32(0).int32(-1);
    writer.compactArray(topics, ({ id, partitions }) => {
      writer.uuid(id).compactArray(partitions, ({ partition, offset, maxBytes: most }) => {
        writer.int32(partition).int32(-1).int64(offset).int32(-1).int64(-1).int32(most).tags();
      });
      writer.tags();
    });
    writer
      .compactArray([], () => undefined)
      .compactString('')
      .tags();
  },
  decode: (reader) => {
    reader.int32();
    const error = reader.int16();
    reader.int32();
    const topics = reader.compactArray(() => {
      const topicId = reader.uuid();
      const partitions = reader.compactArray((): FetchedPartition => {
        const partition = reader.int32();
        const code = reader.int16();
        const highWatermark = reader.int64();
        const lastStableOffset = reader.int64();
        const logStart = reader.int64();
        const aborted = reader.compactArray(() => {
          const transaction = { producerId: reader.bigint64(), firstOffset: reader.int64() };
          reader.tags();
          return transaction;
        });
        reader.int32();
        const records = reader.compactData();
        reader.tags();
        return { topicId, partition, error: code, highWatermark, lastStableOffset, logStart, aborted, records };
      });
      reader.tags();
      return partitions;
    });
    return { error, partitions: topics.flat() };
  },
};
