import { afterAll, beforeAll, expect, it } from 'vitest';
import { Added, Counter } from './support/counter.js';
import { WriteSide } from './support/write-side.js';

class AddLater {
  constructor(
    readonly counterId: string,
    readonly until: Promise<void>,
  ) {}
}

const adding = Counter.evolve({ 'counter.added': (state) => state, 'counter.named': (state) => state }).decide(
  AddLater,
  ({ until }) => until,
  () => [Added({ n: 1 })],
);

let side: WriteSide;
beforeAll(async () => {
  side = await WriteSide.start();
});
afterAll(() => side.stop());

it('are waited for by a stop, which refuses what comes later and counts neither that nor what was refused before', async () => {
  const commands = await side.executor({ aggregates: [adding] });
  let finish = (): void => undefined;
  const until = new Promise<void>((resolve) => (finish = resolve));
  await expect(commands.execute(new AddLater('', until))).rejects.toMatchObject({ code: 'KAPPA_INVALID_PAYLOAD' });
  await expect(commands.execute({})).rejects.toMatchObject({ code: 'KAPPA_UNKNOWN_COMMAND' });
  expect(commands.underWay).toEqual([]);
  const added = commands.execute(new AddLater('later', until));
  expect(commands.underWay).toEqual(['1 being executed']);
  const order: string[] = [];
  const stopped = commands.stop().then(() => order.push('stopped'));
  await expect(commands.execute(new AddLater('later', until))).rejects.toMatchObject({ code: 'KAPPA_RETRIABLE' });
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(order).toEqual([]);
  finish();
  await added.then(() => order.push('added'));
  await stopped;
  expect(order).toEqual(['added', 'stopped']);
  expect(commands.underWay).toEqual([]);
});
