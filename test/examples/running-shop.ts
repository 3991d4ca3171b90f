import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import pg from 'pg';
import { expect } from 'vitest';
import { freePort } from '../support/free-port.js';
import { ROOT } from '../support/run-example.js';

/** The shop as a process of its own. */
export interface Shop {
  readonly url: string;
  /** Presses Ctrl-C, and returns the exit code. */
  stop(): Promise<number | null>;
}

const BUILT = path.join(ROOT, 'examples/shop/dist/src/main.js');

/** Starts a shop without shoppers, and waits until it says that it runs. @throws with what it printed when it ends before */
export async function startShop(env: Readonly<Record<string, string>>, main = BUILT): Promise<Shop> {
  const port = await freePort();
  const child = spawn(process.execPath, [main], {
    cwd: ROOT,
    env: { ...process.env, PORT: String(port), SHOP_SIMULATION: 'off', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = once(child, 'exit') as Promise<[number | null]>;
  let printed = '';
  await new Promise<void>((resolve, reject) => {
    const listen = (chunk: Buffer): void => {
      printed += chunk.toString();
      if (/shop: (listening|running)/.test(printed)) resolve();
    };
    child.stdout.on('data', listen);
    child.stderr.on('data', listen);
    void exited.then(() => reject(new Error(printed)));
  });
  return {
    url: `http://127.0.0.1:${port}`,
    stop: async () => {
      child.kill('SIGINT');
      return (await exited)[0];
    },
  };
}

export async function post<T = { id: string; position: string }>(url: string, body: object = {}): Promise<T> {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const json = (await answer.json()) as T;
  expect(answer.status, JSON.stringify(json)).toBeLessThan(300);
  return json;
}

export async function get<T>(url: string): Promise<T> {
  const answer = await fetch(url);
  expect(answer.status).toBe(200);
  return (await answer.json()) as T;
}

/** Lists a product and buys two of it for 9.00. */
export async function buy(api: string, sku = 'jam'): Promise<{ readonly orderId: string; readonly position: string }> {
  const listed = await post(`${api}/products`, { sku, name: `Plum ${sku}`, cents: 450, quantity: 12 });
  await get(`${api}/api/products/${sku}?at=${listed.position}`);
  const customer = await post(`${api}/customers`, { email: `${crypto.randomUUID()}@example.org`, name: 'Ann' });
  const cart = await post(`${api}/carts`, { customerId: customer.id });
  const filled = await post(`${api}/carts/${cart.id}/items`, { sku, quantity: 2 });
  const order = await post(`${api}/carts/${cart.id}/checkout`, { at: filled.position });
  const paid = await post(`${api}/orders/${order.id}/payment`);
  return { orderId: order.id, position: paid.position };
}

/** Waits until the policy has confirmed the order, and sees that it did so once. */
export async function confirmed(database: string | undefined, orderId: string): Promise<void> {
  const client = new pg.Client({ connectionString: database });
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
