import type { Api } from '../connection.js';

export interface ListedGroup {
  readonly group: string;
  /** `consumer`, `connect` …; empty where nobody joined and offsets alone were committed. */
  readonly protocolType: string;
}

/** A broker tells of the groups that it coordinates. */
export const listGroups: Api<undefined, { readonly error: number; readonly groups: readonly ListedGroup[] }> = {
  key: 16,
  name: 'ListGroups',
  version: 4,
  flexible: true,
  encode: (writer) => {
    writer.compactArray([], () => undefined).tags();
  },
  decode: (reader) => {
    reader.int32();
    const error = reader.int16();
    const groups = reader.compactArray(() => {
      const listed = { group: reader.compactString(), protocolType: reader.compactString() };
      reader.compactString();
      reader.tags();
      return listed;
    });
    return { error, groups };
  },
};

export interface DescribedMember {
  readonly member: string;
  readonly client: string;
  readonly metadata: Buffer;
  readonly assignment: Buffer;
}

export interface DescribedGroup {
  readonly error: number;
  readonly protocolType: string;
  readonly members: readonly DescribedMember[];
}

/** An unknown group is one without members. */
export const describeGroup: Api<{ readonly group: string }, readonly DescribedGroup[]> = {
  key: 15,
  name: 'DescribeGroups',
  version: 4,
  flexible: false,
  encode: (writer, { group }) => {
    writer.array([group], (name) => writer.string(name)).bool(false);
  },
  decode: (reader) => {
    reader.int32();
    return reader.array((): DescribedGroup => {
      const error = reader.int16();
      reader.string();
      reader.string();
      const protocolType = reader.string();
      reader.string();
      const members = reader.array((): DescribedMember => {
        const member = reader.string();
        reader.nullableString();
        const client = reader.string();
        reader.string();
        return { member, client, metadata: reader.data(), assignment: reader.data() };
      });
      reader.int32();
      return { error, protocolType, members };
    });
  },
};

/** Commits offsets from outside, which a group that has members refuses. */
export const commitOffsets: Api<
  {
    readonly group: string;
    readonly offsets: readonly { readonly topic: string; readonly partition: number; readonly next: number }[];
    readonly metadata: string | null;
  },
  readonly { readonly topic: string; readonly partition: number; readonly error: number }[]
> = {
  key: 8,
  name: 'OffsetCommit',
  version: 7,
  flexible: false,
  encode: (writer, { group, offsets, metadata }) => {
    writer
      .string(group)
      .int32(-1)
      .string('')
      .nullableString(null)
      .array(offsets, ({ topic, partition, next }) =>
        writer
          .string(topic)
          .array([partition], (number) => writer.int32(number).int64(next).int32(-1).nullableString(metadata)),
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
