import type { Api } from '../connection.js';

export type CoordinatorKind = 'group' | 'transaction';

const KIND: Readonly<Record<CoordinatorKind, number>> = { group: 0, transaction: 1 };

export const findCoordinator: Api<
  { readonly kind: CoordinatorKind; readonly key: string },
  { readonly error: number; readonly nodeId: number; readonly host: string; readonly port: number }
> = {
  key: 10,
  name: 'FindCoordinator',
  version: 2,
  flexible: false,
  encode: (writer, { kind, key }) => {
    writer.string(key).int8(KIND[kind]);
  },
  decode: (reader) => {
    reader.int32();
    const error = reader.int16();
    reader.nullableString();
    return { error, nodeId: reader.int32(), host: reader.string(), port: reader.int32() };
  },
};
