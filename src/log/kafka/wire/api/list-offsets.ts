import type { Api } from '../connection.js';

export const EARLIEST = -2;
/** The high watermark: the end, read uncommitted. */
export const LATEST = -1;

export interface OffsetWish {
  readonly topic: string;
  readonly partition: number;
  /** Milliseconds, or one of the two above. */
  readonly timestamp: number;
}

export interface OffsetAnswer {
  readonly topic: string;
  readonly partition: number;
  readonly error: number;
  /** -1 where no record is that late. */
  readonly offset: number;
}

export const listOffsets: Api<readonly OffsetWish[], readonly OffsetAnswer[]> = {
  key: 2,
  name: 'ListOffsets',
  version: 3,
  flexible: false,
  encode: (writer, wishes) => {
    const topics = [...new Set(wishes.map(({ topic }) => topic))];
    writer
      .int32(-1)
      .int8(0)
      .array(topics, (topic) => {
        writer.string(topic).array(
          wishes.filter((wish) => wish.topic === topic),
          ({ partition, timestamp }) => writer.int32(partition).int64(timestamp),
        );
      });
  },
  decode: (reader) => {
    reader.int32();
    return reader
      .array(() => {
        const topic = reader.string();
        return reader.array(() => {
          const partition = reader.int32();
          const error = reader.int16();
          reader.int64();
          return { topic, partition, error, offset: reader.int64() };
        });
      })
      .flat();
  },
};
