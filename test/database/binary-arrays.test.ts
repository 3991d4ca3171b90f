import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bigintArray, byteaArray, intArray, textArray } from '../../src/database/binary-arrays.js';
import { Database } from '../../src/database/database.js';
import { testServer, type TestServer } from '../../src/testing/test-server.js';

let server: TestServer;
let database: Database;

beforeAll(async () => {
  server = await testServer();
  database = new Database({ url: server.url });
});

afterAll(async () => {
  await database.stop();
  await server.stop();
});

const text = fc.string({ unit: 'grapheme' }).filter((item) => !item.includes('\0') && item.isWellFormed());

describe('binary arrays', () => {
  it('arrive at the server as they were given', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.option(text)),
        fc.array(fc.option(fc.uint8Array())),
        fc.array(fc.option(fc.integer())),
        fc.array(fc.option(fc.maxSafeInteger())),
        async (texts, bytes, ints, bigints) => {
          const { rows } = await database.query<{
            texts: unknown;
            bytes: (Buffer | null)[];
            ints: unknown;
            bigints: (string | null)[];
          }>('select $1::text[] as texts, $2::bytea[] as bytes, $3::int[] as ints, $4::bigint[] as bigints', [
            textArray(texts),
            byteaArray(bytes),
            intArray(ints),
            bigintArray(bigints),
          ]);
          const row = rows[0];
          expect(row?.texts).toEqual(texts);
          expect(row?.bytes.map((item) => item && [...item])).toEqual(bytes.map((item) => item && [...item]));
          expect(row?.ints).toEqual(ints);
          expect(row?.bigints.map((item) => (item === null ? null : Number(item)))).toEqual(
            bigints.map((item) => (item === null ? null : item + 0)),
          );
        },
      ),
      { numRuns: 60 },
    );
  });
});
