import { rm } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Database } from '../../src/database/database.js';
import type { PlanEntry } from '../../src/modules/projections/operations.js';
import { createTestDatabase, type TestDatabase } from '../../src/testing/test-server.js';
import { run, type Ran } from '../cli/run-command.js';
import { blocksOf, root, textOf } from '../docs/blocks.js';
import { transpileApp } from '../support/transpile-app.js';
import { buy, get, startShop } from './running-shop.js';

interface Answer {
  readonly version: number;
  readonly data: readonly { readonly sku: string; readonly quantity: number; readonly revenueCents: number }[];
}

/** What stands below "Change a table." in the README. */
const walk = /\*\*Change a table\.\*\*[\s\S]*?(?=\n\*\*Change a fold)/.exec(textOf('README.md'))?.[0] ?? '';
const before = path.join(root, 'test/examples/dist', `${process.pid}-before`);
const after = path.join(root, 'test/examples/dist', `${process.pid}-after`);

let test: TestDatabase;
let env: Readonly<Record<string, string>>;

beforeAll(async () => {
  test = await createTestDatabase();
  env = { DATABASE_URL: test.url };
  const shop = path.join(root, 'examples/shop');
  await transpileApp(shop, before);
  const [secondVersion = ''] = blocksOf('README.md', walk)
    .filter(({ language }) => language === 'ts')
    .map(({ text }) => text.replace('// fragment\n', ''));
  const list = /`(projections: \[.*?\])`/.exec(walk)?.[1] ?? '';
  await transpileApp(shop, after, (file, text) => {
    if (file === 'src/orders/sales.projection.ts') return `${text}\n${secondVersion}`;
    if (file === 'src/definitions.ts')
      return text.replace('{ salesV1 }', '{ salesV1, salesV2 }').replace(/projections: \[.*?\]/, list);
    return text;
  });
});
afterAll(async () => {
  await test.drop();
  for (const folder of [before, after]) await rm(folder, { recursive: true });
});

/** The README's command that begins like this, as it is printed there. */
async function printed(beginning: string, ...more: readonly string[]): Promise<Ran> {
  const commands = blocksOf('README.md', walk)
    .filter(({ language }) => language === 'sh')
    .flatMap(({ text }) => text.split('\n'))
    .map((line) => /^npm run -s kappa -- (.*)$/.exec(line)?.[1])
    .filter((line) => line?.startsWith(beginning) === true);
  expect(commands).toHaveLength(1);
  const ran = await run([...(commands[0] ?? '').split(' '), ...more], { cwd: after, env });
  expect(ran.code, ran.stderr).toBe(0);
  return ran;
}

it('changes a table of the shop as the README says, and goes back', { timeout: 120_000 }, async () => {
  const old = await startShop(env, path.join(before, 'src/main.js'));
  const { position } = await buy(old.url);
  await get(`${old.url}/api/sales_per_product_per_day?at=${position}`);
  await old.stop();

  const shop = await startShop(env, path.join(after, 'src/main.js'));
  const database = new Database(test);
  const sales = (at = position, sku = 'jam'): Promise<Answer> =>
    get(`${shop.url}/api/sales_per_product_per_day?limit=3&sku=${sku}&at=${at}`);
  const averages = async () =>
    (await database.query('select sku, quantity, average_cents from public.sales_per_product_per_day')).rows;
  try {
    const planned = JSON.parse((await printed('projections plan', '--json')).stdout) as { plan: readonly PlanEntry[] };
    expect(planned.plan.filter(({ action }) => action !== 'none')).toMatchObject([
      {
        projection: 'sales_per_product_per_day',
        version: 2,
        action: 'rebuild-needed',
        changes: ['column average_cents (integer) added'],
      },
    ]);
    expect(await sales()).toMatchObject({ version: 1, data: [{ sku: 'jam', quantity: 2, revenueCents: 900 }] });

    await printed('projections rebuild');
    expect(await sales()).toMatchObject({ version: 2, data: [{ sku: 'jam', quantity: 2, revenueCents: 900 }] });
    expect(await averages()).toEqual([{ sku: 'jam', quantity: 2, average_cents: 450 }]);

    // The old one has kept projecting: what is bought meanwhile is in it, too.
    const bought = await buy(shop.url, 'chutney');
    expect(await sales(bought.position, 'chutney')).toMatchObject({ version: 2, data: [{ quantity: 2 }] });
    await printed('projections rollback');
    expect(await sales(bought.position, 'chutney')).toMatchObject({ version: 1, data: [{ quantity: 2, revenueCents: 900 }] });
  } finally {
    await database.stop();
    await shop.stop();
  }
});
