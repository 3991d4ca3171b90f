import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Journal, journalLines, type JournalLine } from '../../faults/src/actors/journal.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'kappa-journal-'));
});
afterEach(() => rm(folder, { recursive: true }));

const line = (id: string): JournalLine => ({ t: 'tried', id, stream: '/cart/1', events: 1, at: 1 });

it('has a line on the disk before its write resolves, however many come at once', async () => {
  const file = path.join(folder, 'journal');
  const journal = await Journal.open(file);
  const ids = Array.from({ length: 50 }, (_, index) => `c${index}`);
  await Promise.all(
    ids.map(async (id) => {
      await journal.write(line(id));
      expect(journalLines(await readFile(file, 'utf8')).map((written) => written.id)).toContain(id);
    }),
  );
  await journal.close();
  expect(journalLines(await readFile(file, 'utf8')).map(({ id }) => id)).toEqual(ids);
});

it('leaves out a last line that a kill has cut off', () => {
  const text = `${JSON.stringify(line('whole'))}\n${JSON.stringify(line('half')).slice(0, 20)}`;
  expect(journalLines(text)).toEqual([line('whole')]);
  expect(journalLines('')).toEqual([]);
});
