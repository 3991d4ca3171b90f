import type { Api } from '../connection.js';

export interface Membership {
  readonly group: string;
  readonly generation: number;
  readonly member: string;
}

export interface JoinAnswer {
  readonly error: number;
  readonly generation: number;
  readonly leader: string;
  readonly member: string;
  /** Of all members, for the leader alone. */
  readonly members: readonly { readonly member: string; readonly metadata: Buffer }[];
}

const PROTOCOL_TYPE = 'consumer';

export const joinGroup: Api<
  {
    readonly group: string;
    readonly sessionTimeoutMs: number;
    readonly rebalanceTimeoutMs: number;
    readonly member: string;
    readonly protocol: string;
    readonly metadata: Uint8Array;
  },
  JoinAnswer
> = {
  key: 11,
  name: 'JoinGroup',
  version: 5,
  flexible: false,
  encode: (writer, { group, sessionTimeoutMs, rebalanceTimeoutMs, member, protocol, metadata }) => {
    writer
      .string(group)
      .int32(sessionTimeoutMs)
      .int32(rebalanceTimeoutMs)
      .string(member)
      .nullableString(null)
      .string(PROTOCOL_TYPE)
      .array([protocol], (name) => writer.string(name).data(metadata));
  },
  decode: (reader) => {
    reader.int32();
    const error = reader.int16();
    const generation = reader.int32();
    reader.nullableString();
    const leader = reader.string();
    const member = reader.string();
    const members = reader.array(() => {
      const id = reader.string();
      reader.nullableString();
      return { member: id, metadata: reader.data() };
    });
    return { error, generation, leader, member, members };
  },
};

export const syncGroup: Api<
  Membership & { readonly assignments: readonly { readonly member: string; readonly assignment: Uint8Array }[] },
  { readonly error: number; readonly assignment: Buffer }
> = {
  key: 14,
  name: 'SyncGroup',
  version: 3,
  flexible: false,
  encode: (writer, { group, generation, member, assignments }) => {
    writer
      .string(group)
      .int32(generation)
      .string(member)
      .nullableString(null)
      .array(assignments, (each) => writer.string(each.member).data(each.assignment));
  },
  decode: (reader) => {
    reader.int32();
    return { error: reader.int16(), assignment: reader.data() };
  },
};

export const heartbeat: Api<Membership, { readonly error: number }> = {
  key: 12,
  name: 'Heartbeat',
  version: 3,
  flexible: false,
  encode: (writer, { group, generation, member }) => {
    writer.string(group).int32(generation).string(member).nullableString(null);
  },
  decode: (reader) => {
    reader.int32();
    return { error: reader.int16() };
  },
};

export const leaveGroup: Api<Pick<Membership, 'group' | 'member'>, { readonly error: number }> = {
  key: 13,
  name: 'LeaveGroup',
  version: 2,
  flexible: false,
  encode: (writer, { group, member }) => {
    writer.string(group).string(member);
  },
  decode: (reader) => {
    reader.int32();
    return { error: reader.int16() };
  },
};

export interface CommittedOffset {
  readonly topic: string;
  readonly partition: number;
  readonly error: number;
  /** -1 where nothing was committed. */
  readonly next: number;
  /** What the committer wrote beside it. */
  readonly metadata: string | null;
}

/** Answers UNSTABLE_OFFSET_COMMIT while a transaction that commits one of them is ending. */
export const offsetFetch: Api<
  {
    readonly group: string;
    readonly topics: readonly { readonly topic: string; readonly partitions: readonly number[] }[];
    /** UNSTABLE_OFFSET_COMMIT for what a transaction that is not ended has committed, instead of what was there before. */
    readonly requireStable: boolean;
  },
  { readonly error: number; readonly offsets: readonly CommittedOffset[] }
> = {
  key: 9,
  name: 'OffsetFetch',
  version: 7,
  flexible: true,
  encode: (writer, { group, topics, requireStable }) => {
    writer
      .compactString(group)
      .compactArray(topics, ({ topic, partitions }) =>
        writer
          .compactString(topic)
          .compactArray(partitions, (partition) => writer.int32(partition))
          .tags(),
      )
      .bool(requireStable)
      .tags();
  },
  decode: (reader) => {
    reader.int32();
    const offsets = reader.compactArray(() => {
      const topic = reader.compactString();
      const partitions = reader.compactArray((): CommittedOffset => {
        const partition = reader.int32();
        const next = reader.int64();
        reader.int32();
        const metadata = reader.compactNullableString();
        const error = reader.int16();
        reader.tags();
        return { topic, partition, error, next, metadata };
      });
      reader.tags();
      return partitions;
    });
    return { error: reader.int16(), offsets: offsets.flat() };
  },
};
