import { afterEach, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../src/testing/test-server.js';
import { buy, confirmed, get, post, startShop as start, type Shop } from './running-shop.js';

const open: { readonly shops: Shop[]; database: TestDatabase | null } = { shops: [], database: null };

afterEach(async () => {
  for (const shop of open.shops.splice(0)) await shop.stop();
  await open.database?.drop();
  open.database = null;
});

async function startShop(env: Readonly<Record<string, string>> = {}): Promise<Shop> {
  open.database ??= await createTestDatabase();
  const shop = await start({ DATABASE_URL: open.database.url, ...env });
  open.shops.push(shop);
  return shop;
}

describe('the shop', () => {
  it('takes an order from cart to table, and goes on with its data after Ctrl-C', async () => {
    const first = await startShop();
    const { orderId, position } = await buy(first.url);
    const { data } = await get<{ data: object }>(`${first.url}/api/orders/${orderId}?at=${position}`);
    expect(data).toMatchObject({ state: 'paid', totalCents: 900, lines: [{ sku: 'jam', quantity: 2, cents: 450 }] });
    await confirmed(open.database?.url, orderId);
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
    await confirmed(open.database?.url, orderId);
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
