import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import path from 'node:path';
import pg from 'pg';
import { afterEach, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../src/testing/test-server.js';
import { ROOT } from '../support/run-example.js';

const MAIN = path.join(ROOT, 'examples/shop/dist/src/main.js');

interface Shop {
  readonly child: ChildProcess;
  readonly url: string;
  stop(): Promise<number | null>;
}

const open: { readonly shops: Shop[]; database: TestDatabase | null } = { shops: [], database: null };

afterEach(async () => {
  for (const shop of open.shops.splice(0)) await shop.stop();
  await open.database?.drop();
  open.database = null;
});

async function database(): Promise<TestDatabase> {
  open.database ??= await createTestDatabase();
  return open.database;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address ? address.port : 0;
}

async function startShop(env: Readonly<Record<string, string>> = {}): Promise<Shop> {
  const port = await freePort();
  const child = spawn(process.execPath, [MAIN], {
    cwd: ROOT,
    env: { ...process.env, DATABASE_URL: (await database()).url, PORT: String(port), SHOP_SIMULATION: 'off', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = once(child, 'exit');
  let printed = '';
  const started = new Promise<void>((resolve, reject) => {
    const listen = (chunk: Buffer): void => {
      printed += chunk.toString();
      if (/shop: (listening|running)/.test(printed)) resolve();
    };
    child.stdout.on('data', listen);
    child.stderr.on('data', listen);
    void exited.then(() => reject(new Error(printed)));
  });
  await started;
  let stopped: Promise<number | null> | null = null;
  const shop: Shop = {
    child,
    url: `http://127.0.0.1:${port}`,
    stop: () =>
      (stopped ??= (async () => {
        child.kill('SIGINT');
        const [code] = (await exited) as [number | null];
        return code;
      })()),
  };
  open.shops.push(shop);
  return shop;
}

async function post<T = { id: string; position: string }>(url: string, body: object = {}): Promise<T> {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const json = (await answer.json()) as T;
  expect(answer.status, JSON.stringify(json)).toBeLessThan(300);
  return json;
}

async function get<T>(url: string): Promise<T> {
  const answer = await fetch(url);
  expect(answer.status).toBe(200);
  return (await answer.json()) as T;
}

async function buy(api: string): Promise<{ readonly orderId: string; readonly position: string }> {
  const listed = await post(`${api}/products`, { sku: 'jam', name: 'Plum jam', cents: 450, quantity: 12 });
  await get(`${api}/api/products/jam?at=${listed.position}`);
  const customer = await post(`${api}/customers`, { email: `${crypto.randomUUID()}@example.org`, name: 'Ann' });
  const cart = await post(`${api}/carts`, { customerId: customer.id });
  const filled = await post(`${api}/carts/${cart.id}/items`, { sku: 'jam', quantity: 2 });
  const order = await post(`${api}/carts/${cart.id}/checkout`, { at: filled.position });
  const paid = await post(`${api}/orders/${order.id}/payment`);
  return { orderId: order.id, position: paid.position };
}

/** Waits until the policy has confirmed the order, and sees that it did so once. */
async function confirmed(orderId: string): Promise<void> {
  const client = new pg.Client({ connectionString: (await database()).url });
  await client.connect();
  for (let count = 0; count === 0;) {
    const { rows } = await client.query<{ count: number }>(
      `select count(*)::int as count from kappa.log_records where event_type = 'order.confirmed' and key = $1`,
      [orderId],
    );
    count = rows[0]?.count ?? 0;
    expect(count).toBeLessThanOrEqual(1);
  }
  await client.end();
}

describe('the shop', () => {
  it('takes an order from cart to table, and goes on with its data after Ctrl-C', async () => {
    const first = await startShop();
    const { orderId, position } = await buy(first.url);
    const { data } = await get<{ data: object }>(`${first.url}/api/orders/${orderId}?at=${position}`);
    expect(data).toMatchObject({ state: 'paid', totalCents: 900, lines: [{ sku: 'jam', quantity: 2, cents: 450 }] });
    await confirmed(orderId);
    expect(await first.stop()).toBe(0);

    const second = await startShop();
    expect((await get<{ data: object }>(`${second.url}/api/orders/${orderId}?at=${position}`)).data).toMatchObject({
      state: 'paid',
    });
    const sales = await get<{ data: { sku: string; quantity: number }[] }>(
      `${second.url}/api/sales_per_product_per_day?sku=jam`,
    );
    expect(sales.data).toMatchObject([{ sku: 'jam', quantity: 2, revenueCents: 900 }]);
  });

  it('refuses a second customer with the same address, and says why', async () => {
    const shop = await startShop();
    await post(`${shop.url}/customers`, { email: 'ann@example.org', name: 'Ann' });
    const answer = await fetch(`${shop.url}/customers`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ email: 'Ann@example.org', name: 'Another Ann' }),
    });
    expect(answer.status).toBe(409);
    expect(await answer.json()).toMatchObject({ code: 'KAPPA_VALUE_TAKEN' });
  });

  it('runs as API and workers apart', async () => {
    const api = await startShop({ KAPPA_RUN: 'commands,rest' });
    await startShop({ KAPPA_RUN: 'projections' });
    await startShop({ KAPPA_RUN: 'projections,policies' });
    const { orderId, position } = await buy(api.url);
    expect((await get<{ data: object }>(`${api.url}/api/orders/${orderId}?at=${position}`)).data).toMatchObject({
      state: 'paid',
    });
    await confirmed(orderId);
  });

  it('says how it is', async () => {
    const shop = await startShop();
    expect(await get(`${shop.url}/health/live`)).toMatchObject({ live: true });
    expect(await get(`${shop.url}/health/ready`)).toEqual({ ready: true, reasons: [] });
  });

  it('lets simulated shoppers shop', async () => {
    const shop = await startShop({ SHOP_SIMULATION: 'on', SHOP_RATE: '500' });
    for (;;) {
      const { data } = await get<{ data: object[] }>(`${shop.url}/api/orders?limit=1`).catch(() => ({ data: [] }));
      if (data.length > 0) break;
      await new Promise((resolve) => setImmediate(resolve));
    }
  });

  it('names the port that is taken', async () => {
    const shop = await startShop();
    await expect(startShop({ PORT: new URL(shop.url).port })).rejects.toThrow(/SHOP_PORT_IN_USE/);
  });
});
