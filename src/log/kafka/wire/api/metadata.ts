import type { Api } from '../connection.js';

export interface BrokerMetadata {
  readonly nodeId: number;
  readonly host: string;
  readonly port: number;
}

export interface PartitionMetadata {
  readonly error: number;
  readonly partition: number;
  /** -1 while there is none. */
  readonly leader: number;
  readonly replicas: readonly number[];
}

export interface TopicMetadata {
  readonly error: number;
  readonly name: string;
  /** 32 hexadecimal digits; another one when the topic was deleted and created again. */
  readonly id: string;
  readonly internal: boolean;
  /** By partition number. */
  readonly partitions: readonly PartitionMetadata[];
}

export interface ClusterMetadata {
  readonly brokers: readonly BrokerMetadata[];
  readonly clusterId: string;
  readonly controller: number;
  readonly topics: readonly TopicMetadata[];
}

const NO_ID = '0'.repeat(32);

/** `topics` null: all. Never creates one by asking. */
export const metadata: Api<{ readonly topics: readonly string[] | null }, ClusterMetadata> = {
  key: 3,
  name: 'Metadata',
  version: 12,
  flexible: true,
  encode: (writer, { topics }) => {
    writer.compactArray(topics, (name) => writer.uuid(NO_ID).compactNullableString(name).tags());
    writer.bool(false).bool(false).tags();
  },
  decode: (reader) => {
    reader.int32();
    const brokers = reader.compactArray(() => {
      const broker = { nodeId: reader.int32(), host: reader.compactString(), port: reader.int32() };
      reader.compactNullableString();
      reader.tags();
      return broker;
    });
    const clusterId = reader.compactString();
    const controller = reader.int32();
    const topics = reader.compactArray(() => {
      const topic = {
        error: reader.int16(),
        name: reader.compactString(),
        id: reader.uuid(),
        internal: reader.bool(),
        partitions: reader
          .compactArray(() => {
            const error = reader.int16();
            const partition = reader.int32();
            const leader = reader.int32();
            reader.int32();
            const replicas = reader.compactArray(() => reader.int32());
            reader.compactArray(() => reader.int32());
            reader.compactArray(() => reader.int32());
            reader.tags();
            return { error, partition, leader, replicas };
          })
          .sort((a, b) => a.partition - b.partition),
      };
      reader.int32();
      reader.tags();
      return topic;
    });
    return { brokers, clusterId, controller, topics };
  },
};
