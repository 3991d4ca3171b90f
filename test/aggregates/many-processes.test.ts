import { afterAll, beforeAll, expect, it } from 'vitest';
import { RetriableError } from '../../src/kernel/errors.js';
import { answerOf, SourceProcesses } from '../support/source-processes.js';
import { idIn } from './support/append-requests.js';
import { Add } from './support/counter.js';
import { WriteSide } from './support/write-side.js';
import type { Written } from './support/writing.process.js';

const PROCESSES = 16;
const COMMANDS = 30;
const STREAMS = 3;
const NAMES = 12;

let side: WriteSide;
const compiled: SourceProcesses[] = [];

beforeAll(async () => {
  side = await WriteSide.start();
});
afterAll(async () => {
  for (const processes of compiled) await processes.clear();
  await side.stop();
});

it('lets sixteen processes write to the same streams and claim the same values: nothing lost, nothing doubled', async () => {
  const writers = await processes('./support/writing.process.ts');
  const common = { URL: side.url, COMMANDS: String(COMMANDS), STREAMS: String(STREAMS), NAMES: String(NAMES) };
  const children = await Promise.all(
    Array.from({ length: PROCESSES }, (_, writer) => writers.start({ ...common, WRITER: String(writer) })),
  );
  const answers = children.map((child) => answerOf<Written>(child));
  for (const child of children) child.send('go');
  const written = await Promise.all(answers);

  expect(written.flatMap(({ failures }) => failures)).toEqual([]);
  const added: Record<string, number> = {};
  for (const one of written)
    for (const [id, sum] of Object.entries(one.added)) added[`/counter/${id}`] = (added[`/counter/${id}`] ?? 0) + sum;
  expect(await side.sums()).toEqual(added);
  expect(Object.keys(added)).toHaveLength(STREAMS);
  expect(await side.contradictions()).toEqual([]);

  const names = Array.from({ length: NAMES }, (_, n) => `name-${n}`);
  expect(written.flatMap(({ won }) => won).toSorted()).toEqual(names.toSorted());
  const { rows } = await side.database.query<{ commands: number }>('select count(*) as commands from commands');
  expect(rows[0]?.commands).toBe(PROCESSES * COMMANDS + NAMES);
}, 60_000);

it('is not held up for long by a process that is stopped inside its append', async () => {
  const [held, neighbour, elsewhere] = [idIn(5, 'held'), idIn(5, 'neighbour'), idIn(6, 'elsewhere')];
  const stopped = await processes('./support/stopped.process.ts');
  // Ready before the other holds the partition: the server's patience with it is hardly longer than ours.
  const commands = await side.executor();
  await commands.execute(new Add(elsewhere, 1));
  const child = await stopped.start({ URL: side.url, STREAM: held });
  child.kill('SIGSTOP');

  const refused = commands.execute(new Add(neighbour, 1)).catch((error: unknown) => error);
  expect((await commands.execute(new Add(elsewhere, 1))).version).toBe(2);
  expect(await refused).toBeInstanceOf(RetriableError);
  // The server ends what idles in a transaction, and the partition is free.
  expect((await commands.execute(new Add(neighbour, 1)).catch(() => commands.execute(new Add(neighbour, 1)))).version).toBe(1);

  child.kill('SIGCONT');
  child.send('commit');
  expect(await answerOf<string>(child)).not.toBe('COMMIT');
  expect((await side.sums())[`/counter/${held}`]).toBeUndefined();
  expect((await commands.execute(new Add(held, 1))).version).toBe(1);
  expect(await side.contradictions()).toEqual([]);
}, 30_000);

async function processes(file: string): Promise<SourceProcesses> {
  const made = await SourceProcesses.compile(new URL(file, import.meta.url));
  compiled.push(made);
  return made;
}
