import type { Api } from '../connection.js';

export interface NewTopic {
  readonly name: string;
  readonly partitions: number;
  readonly replicationFactor: number;
  readonly configs: Readonly<Record<string, string>>;
}

export const createTopic: Api<
  NewTopic & { readonly timeoutMs: number },
  { readonly error: number; readonly message: string | null }
> = {
  key: 19,
  name: 'CreateTopics',
  version: 4,
  flexible: false,
  encode: (writer, { name, partitions, replicationFactor, configs, timeoutMs }) => {
    writer
      .array([name], () =>
        writer
          .string(name)
          .int32(partitions)
          .int16(replicationFactor)
          .array([], () => undefined)
          .array(Object.entries(configs), ([key, value]) => writer.string(key).nullableString(value)),
      )
      .int32(timeoutMs)
      .bool(false);
  },
  decode: (reader) => {
    reader.int32();
    const [answer] = reader.array(() => {
      reader.string();
      return { error: reader.int16(), message: reader.nullableString() };
    });
    return answer ?? { error: -1, message: 'no answer for the topic' };
  },
};

const TOPIC = 2;

export interface DescribedConfigs {
  readonly name: string;
  readonly error: number;
  readonly message: string | null;
  readonly configs: Readonly<Record<string, string>>;
}

/** The named settings of topics, defaults of the cluster included. */
export const describeConfigs: Api<
  { readonly topics: readonly string[]; readonly names: readonly string[] },
  readonly DescribedConfigs[]
> = {
  key: 32,
  name: 'DescribeConfigs',
  version: 2,
  flexible: false,
  encode: (writer, { topics, names }) => {
    writer
      .array(topics, (topic) =>
        writer
          .int8(TOPIC)
          .string(topic)
          .array(names, (name) => writer.string(name)),
      )
      .bool(false);
  },
  decode: (reader) => {
    reader.int32();
    return reader.array((): DescribedConfigs => {
      const error = reader.int16();
      const message = reader.nullableString();
      reader.int8();
      const name = reader.string();
      const configs = reader.array(() => {
        const entry = [reader.string(), reader.nullableString() ?? ''] as const;
        reader.bool();
        reader.int8();
        reader.bool();
        reader.array(() => [reader.string(), reader.nullableString(), reader.int8()]);
        return entry;
      });
      return { name, error, message, configs: Object.fromEntries(configs) };
    });
  },
};
