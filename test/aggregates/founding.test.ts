import { afterAll, beforeAll, expect, it } from 'vitest';
import { Add, Take } from './support/counter.js';
import { statementsOf } from './support/statements-of.js';
import { WriteSide } from './support/write-side.js';

let side: WriteSide;

beforeAll(async () => {
  side = await WriteSide.start();
});
afterAll(() => side.stop());

it('stops looking for streams that commands of a kind found, and looks again where one is there', async () => {
  const writer = await side.writer({ retries: 0 });
  const [loads, appends] = [statementsOf(writer, 'kappa load streams'), statementsOf(writer, 'kappa append one')];
  for (let n = 0; n < 20; n += 1) await writer.commands.execute(new Add(`new-${n}`, 1));
  expect(loads()).toBe(4);
  const other = await side.executor();
  await other.execute(new Add('there', 5));
  expect(await writer.commands.execute(new Add('there', 1))).toMatchObject({ version: 2 });
  // One wrong guess, then a look.
  expect([loads(), appends()]).toEqual([5, 22]);
  expect((await side.sums())['/counter/there']).toBe(6);
});

it('takes no stream for new whose state had to make room, and guesses on', async () => {
  const writer = await side.writer({ stateCacheSize: 4 });
  const [loads, appends] = [statementsOf(writer, 'kappa load streams'), statementsOf(writer, 'kappa append one')];
  for (let n = 0; n < 20; n += 1) await writer.commands.execute(new Add(`room-${n}`, 1));
  for (let n = 0; n < 16; n += 1) expect(await writer.commands.execute(new Add(`room-${n}`, 1))).toMatchObject({ version: 2 });
  expect([loads(), appends()]).toEqual([4 + 16, 20 + 16]);
  await writer.commands.execute(new Add('room-for-another', 1));
  expect(loads()).toBe(4 + 16);
});

it('takes no stream for new again on which it has met a conflict, or answered a repeated command', async () => {
  const writer = await side.writer();
  const other = await side.executor();
  for (let n = 0; n < 20; n += 1) await writer.commands.execute(new Add(`met-${n}`, 1), { idempotencyKey: `met-${n}` });
  const [loads, appends] = [statementsOf(writer, 'kappa load streams'), statementsOf(writer, 'kappa append one')];
  await other.execute(new Add('met-7', 1));
  expect(await writer.commands.execute(new Add('met-7', 1))).toMatchObject({ version: 3 });
  expect([loads(), appends()]).toEqual([1, 2]);
  await writer.commands.execute(new Add('met-8', 1), { idempotencyKey: 'met-8' });
  expect(await writer.commands.execute(new Add('met-8', 1))).toMatchObject({ version: 2 });
  expect([loads(), appends()]).toEqual([2, 4]);
  // Never in this memory.
  await other.execute(new Add('met-elsewhere', 1), { idempotencyKey: 'elsewhere' });
  await writer.commands.execute(new Add('met-elsewhere', 1), { idempotencyKey: 'elsewhere' });
  expect(await writer.commands.execute(new Add('met-elsewhere', 1))).toMatchObject({ version: 2 });
  expect([loads(), appends()]).toEqual([3, 6]);
});

it('refuses nothing for a stream that is only likely to be new', async () => {
  const writer = await side.writer();
  for (let n = 0; n < 20; n += 1) await writer.commands.execute(new Take(`none-${n}`, 0));
  const other = await side.executor();
  await other.execute(new Add('full', 5));
  expect(await writer.commands.execute(new Take('full', 5))).toMatchObject({ version: 2 });
  await expect(writer.commands.execute(new Take('empty', 1))).rejects.toMatchObject({ code: 'counter.too-low' });
});

it('answers a repeated command as before, also where its stream is taken to be new', async () => {
  const [one, other] = [await side.executor(), await side.executor()];
  for (let n = 0; n < 8; n += 1) await one.execute(new Add(`first-${n}`, 1));
  const first = await other.execute(new Add('twice', 1), { idempotencyKey: 'key' });
  expect(await one.execute(new Add('twice', 1), { idempotencyKey: 'key' })).toEqual(first);
});

it('takes a caller who wants a new stream at his word', async () => {
  const writer = await side.writer();
  const loads = statementsOf(writer, 'kappa load streams');
  await writer.commands.execute(new Add('wanted-new', 1), { expectedVersion: 0 });
  expect(loads()).toBe(0);
  const other = await side.executor();
  await other.execute(new Add('not-new', 1));
  await expect(writer.commands.execute(new Add('not-new', 1), { expectedVersion: 0 })).rejects.toMatchObject({
    code: 'KAPPA_WRONG_VERSION',
    facts: { expectedVersion: 0, actualVersion: 1 },
  });
});
