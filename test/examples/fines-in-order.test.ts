import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fine } from '../../examples/fines/src/fine.js';
import { importFines } from '../../examples/fines/src/import-fines.js';
import { readRows } from '../../examples/fines/src/read-rows.js';
import { Turns } from '../../examples/fines/src/turns.js';
import type { KappaRuntime } from '../../src/modules/kappa/kappa-runtime.js';
import { openKappa } from '../../src/modules/kappa/open-kappa.js';
import { createMigratedDatabase } from '../../src/testing/migrated-database.js';
import { TcpProxy } from '../../src/testing/tcp-proxy.js';
import type { TestDatabase } from '../../src/testing/test-server.js';

const HEAD =
  'fine_id,seq,activity,occurred_at,amount,expense,payment_amount,total_payment_amount,article,points,vehicle_class,dismissal,notification_type,last_sent,officer,judge';
const AT = '2006-07-24T00:00:00+02:00';
const create = (id: string, points = '0') => `${id},0,Create Fine,${AT},35.0,,,0.0,157,${points},A,NIL,,,561,`;
const pay = (id: string, seq: number) => `${id},${seq},Payment,${AT},,,${seq}.0,,,,,,,,,`;

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'kappa-fines-'));
  file = path.join(folder, 'fines.csv');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const write = (rows: readonly string[]) => writeFile(file, `${[HEAD, ...rows].join('\n')}\n`);

describe('an import whose database goes away in the middle', () => {
  let made: TestDatabase;
  let proxy: TcpProxy;
  let kappa: KappaRuntime;
  beforeEach(async () => {
    made = await createMigratedDatabase();
    proxy = await TcpProxy.start(made.url);
    kappa = await openKappa({ database: { url: proxy.url } }, { aggregates: [fine] }, { env: {} });
  });
  afterEach(async () => {
    await kappa.stop();
    await proxy.stop();
    await made.drop();
  });

  /** What each fine was paid in all, after each of its payments, in the order of the log. */
  const totals = async (): Promise<ReadonlyMap<string, readonly string[]>> => {
    const found = new Map<string, string[]>();
    const { rows } = await kappa.database.query<{ key: string; value: Buffer }>(
      'select key, value from log_records order by partition, "offset"',
    );
    for (const { key, value } of rows) {
      const { total } = JSON.parse(value.toString()) as { readonly total?: string };
      const of = found.get(key) ?? [];
      found.set(key, total === undefined ? of : [...of, total]);
    }
    return found;
  };

  it('decides the rows of a fine in the order of the file, also when the first of them is sent again', async () => {
    await write([create('A1'), pay('A1', 1), pay('A1', 2), pay('A1', 3)]);
    proxy.cut();
    let failed = 0;
    // The database is back the moment the first row was given up, while those behind it in their stream are still to come.
    const execute: typeof kappa.commands.execute = async (...sent) => {
      try {
        return await kappa.commands.execute(...sent);
      } catch (error) {
        failed += 1;
        proxy.heal();
        throw error;
      }
    };
    await importFines({ execute }, file, () => undefined);
    expect(failed).toBeGreaterThan(0);
    expect([...(await totals()).values()]).toEqual([['1.00', '3.00', '6.00']]);
  });

  it('imports many fines, each in its order, through one cut after another', async () => {
    const ids = Array.from({ length: 150 }, (_, n) => `A${n}`);
    await write([...ids.map((id) => create(id)), ...[1, 2, 3].flatMap((seq) => ids.map((id) => pay(id, seq)))]);
    let ended = false;
    const importing = importFines(kappa.commands, file, () => undefined).finally(() => (ended = true));
    let cuts = 0;
    for (; !ended && cuts < 4; cuts += 1) {
      await Promise.race([proxy.losePieceWith('payment.received'), importing]);
      proxy.cutOnce();
    }
    await importing;
    expect(cuts).toBeGreaterThan(0);
    const all = await totals();
    expect(all.size).toBe(ids.length);
    for (const of of all.values()) expect(of).toEqual(['1.00', '3.00', '6.00']);
  });
});

it('a turn begins when the former of its key has ended, and nothing is kept of what has ended', async () => {
  const turns = new Turns();
  const done: string[] = [];
  let end: () => void = () => undefined;
  const first = turns.take('a', async () => {
    await new Promise<void>((resolve) => (end = resolve));
    done.push('a1');
  });
  const second = turns.take('a', async () => void done.push('a2'));
  await turns.take('b', async () => void done.push('b1'));
  expect(turns.size).toBe(1);
  end();
  await Promise.all([first, second]);
  expect(done).toEqual(['b1', 'a1', 'a2']);
  expect(turns.size).toBe(0);
});

it.each(['', ' ', '1.5', '-1', 'two'])('points that are %j are a wrong row, told with its line', async (points) => {
  await write([create('A1', '2'), pay('A1', 1), create('A2', points)]);
  const commands: unknown[] = [];
  const reading = (async () => {
    for await (const { command } of readRows(file, () => undefined)) commands.push(command);
  })();
  await expect(reading).rejects.toThrow(`FINES_BAD_ROW: line 4: points is ${JSON.stringify(points)}, expected a whole number`);
  expect(commands).toMatchObject([{ fineId: 'A1', points: 2 }, { fineId: 'A1' }]);
});
