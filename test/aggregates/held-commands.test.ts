import { expect, it } from 'vitest';
import { createMigratedDatabase } from '../../src/testing/migrated-database.js';
import { tenuredLiterals } from '../support/tenured-literals.js';

it('teaches the engine nothing by commands that are under way at its first sweep, nor by their results', async () => {
  const database = await createMigratedDatabase();
  try {
    expect(await tenuredLiterals(new URL('hold-commands.mjs', import.meta.url), 4_000, database.url)).toEqual([]);
  } finally {
    await database.drop();
  }
});
