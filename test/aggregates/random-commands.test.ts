import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { KappaError, refuse } from '../../src/kernel/errors.js';
import { event } from '../../src/kernel/event.js';
import { type } from '../../src/kernel/shape.js';
import { topic } from '../../src/kernel/topic.js';
import { aggregate } from '../../src/modules/aggregates/aggregate.js';
import { WriteSide } from './support/write-side.js';

/** An event that says on what it was decided. */
interface Seen {
  /** Of the command that decided it, another each time that it is decided. */
  readonly by: string;
  /** The last event of the stream, and how many there were. */
  readonly last: string | null;
  readonly count: number;
  /** Where the last event is recorded; null where nobody asked. */
  readonly at: number | null;
}
interface State {
  readonly last: { readonly data: Seen; readonly offset: number } | null;
  readonly count: number;
}

const Noted = event('pad.noted', type<Seen>());
const Copied = event('copy.noted', type<Seen>());
const initialState = (): State => ({ last: null, count: 0 });

class Command {
  constructor(
    readonly padId: string,
    readonly name: string,
    readonly events: number,
  ) {}
}
class Note extends Command {}
class Prepared extends Command {}
class Placed extends Command {}
class Refused extends Command {}
class Copy extends Command {}

const seen = ({ name, events }: Command, { last, count }: State, newId: () => string, at: number | null = null): Seen[] => {
  const id = newId();
  return Array.from({ length: events }, (_, n) => ({ by: `${name} ${id} ${n}`, last: last?.data.by ?? null, count, at }));
};

const pads = aggregate({
  name: 'pad',
  topic: topic('pads', { partitions: 3, events: [Noted] }),
  id: 'padId',
  initialState,
  snapshots: { every: 5 },
})
  .evolve({ 'pad.noted': ({ count }, last) => ({ last, count: count + 1 }) })
  .decide(Note, (command, state, { newId }) => seen(command, state, newId).map((data) => Noted(data)))
  .decide(
    Prepared,
    () => new Promise((resolve) => setTimeout(resolve, 1)),
    (command, state, { newId }) => seen(command, state, newId).map((data) => Noted(data)),
  )
  .decide(Placed, (command, state, { newId }) =>
    seen(command, state, newId, state.last?.offset ?? null).map((data) => Noted(data)),
  )
  .decide(Refused, () => refuse('pad.refused'));
const copies = aggregate({
  name: 'copy',
  topic: topic('copies', { partitions: 3, events: [Copied] }),
  id: 'padId',
  initialState,
})
  .evolve({ 'copy.noted': ({ count }, last) => ({ last, count: count + 1 }) })
  .decide(Copy, (command, state, { newId }) => seen(command, state, newId).map((data) => Copied(data)));

let side: WriteSide;
beforeAll(async () => {
  side = await WriteSide.start();
});
afterAll(() => side.stop());

/** A part of them is sent again, to either process. */
const aStep = fc.record({
  Kind: fc.constantFrom(Note, Note, Note, Prepared, Placed, Refused, Copy, Copy),
  pad: fc.integer({ min: 0, max: 11 }),
  events: fc.integer({ min: 0, max: 3 }),
  process: fc.constantFrom(0, 1),
  expectedVersion: fc.oneof({ weight: 6, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: fc.nat(3) }),
  again: fc.oneof({ weight: 3, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: fc.constantFrom(0, 1) }),
});

const WORKERS = 40;

it('each event was decided on those before it, whatever is sent twice, refused, prepared or conflicts, in two processes', async () => {
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(aStep, { minLength: 800, maxLength: 800, size: 'max' }), async (steps) => {
      run += 1;
      await side.database.query(`delete from snapshots`);
      const aggregates = [pads, copies];
      const processes = [
        await side.executor({ aggregates, stateCacheSize: 6, retries: 60 }),
        await side.executor({ aggregates, retries: 60 }),
      ];
      const waiting = steps.entries();
      const work = async (): Promise<void> => {
        for (const [number, { Kind, pad, events, process, expectedVersion, again }] of waiting) {
          const name = `${run}-${number}`;
          const command = new Kind(`${run}-${pad}`, name, events);
          const options = { idempotencyKey: name, ...(expectedVersion !== null && { expectedVersion }) };
          const send = async (to: number): Promise<void> => {
            const result = await processes[to]?.execute(command, options).catch((error: unknown) => error);
            if (result instanceof Error) {
              expect(result).toBeInstanceOf(KappaError);
              expect(['pad.refused', 'KAPPA_WRONG_VERSION']).toContain((result as KappaError).code);
            } else
              expect(result).toMatchObject({
                events: Array.from({ length: events }, () => ({ data: { by: expect.stringContaining(`${name} `) as string } })),
              });
          };
          await (again === null ? send(process) : Promise.all([send(process), send(again)]));
        }
      };
      await Promise.all(Array.from({ length: WORKERS }, work));
    }),
    { numRuns: 3, endOnFailure: true },
  );
  expect(await side.contradictions()).toEqual([]);
  const { rows } = await side.database.query<{ stream: string; offset: number; data: Seen }>(
    `select stream, "offset", convert_from(value, 'UTF8')::json as data from log_records order by stream, version`,
  );
  expect(rows.length).toBeGreaterThan(1_000);
  expect(rows.filter(({ data }) => data.at !== null).length).toBeGreaterThan(10);
  expect(notDecidedOnWhatStandsBefore(rows)).toEqual([]);
  const once = rows.map(({ data }) => data.by.replace(/ .* /, ' '));
  expect(new Set(once).size).toBe(once.length);
});

/** Events of one command stand together, and all of them say what stood before the first. */
function notDecidedOnWhatStandsBefore(rows: readonly { stream: string; offset: number; data: Seen }[]): readonly unknown[] {
  const wrong: unknown[] = [];
  let before: { readonly by: string | null; readonly count: number; readonly at: number } = { by: null, count: 0, at: -1 };
  rows.forEach(({ stream, data }, index) => {
    const former = rows[index - 1];
    const isFirst = former?.stream !== stream;
    if (data.by.endsWith(' 0'))
      before = isFirst
        ? { by: null, count: 0, at: -1 }
        : { by: former.data.by, count: before.count + countOf(rows, index), at: former.offset };
    else if (isFirst || former.data.by.slice(0, -2) !== data.by.slice(0, -2)) wrong.push({ stream, apart: data });
    if (data.last !== before.by || data.count !== before.count || (data.at !== null && data.at !== before.at))
      wrong.push({ stream, data, before });
  });
  return wrong;
}

/** Events of the command before this one. */
function countOf(rows: readonly { readonly data: Seen }[], index: number): number {
  return Number(rows[index - 1]?.data.by.split(' ')[2]) + 1;
}
