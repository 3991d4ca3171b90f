import { existsSync } from 'node:fs';
import { mkdtemp, readFile, realpath, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../../src/testing/test-server.js';
import { describeWithOwnKafka } from '../../support/kafka.js';
import { ROOT, runToEnd } from '../../support/run-example.js';
import { buy, confirmed, get, startShop, type Shop } from '../../examples/running-shop.js';

const MAIN = path.join(ROOT, 'examples/shop/dist/src/main-on-kafka.js');
const COMMAND = path.join(ROOT, 'dist/cli/bin.js');
const CONFIG = path.join(ROOT, 'examples/shop/kappa.kafka.config.ts');

await describeWithOwnKafka(
  'the shop on Kafka',
  () => {
    let folder: string;
    let database: TestDatabase;
    beforeAll(async () => {
      folder = await mkdtemp(path.join(await realpath(tmpdir()), 'kappa-shop-'));
      database = await createTestDatabase();
    });
    afterAll(async () => {
      await database.drop();
      await rm(folder, { recursive: true, force: true });
    });
    const shops: Shop[] = [];
    afterEach(async () => {
      for (const shop of shops.splice(0)) await shop.stop();
    });
    const start = async (): Promise<Shop> => {
      const shop = await startShop(env(), MAIN);
      shops.push(shop);
      return shop;
    };
    const env = (): Record<string, string> => ({ SHOP_FOLDER: folder, DATABASE_URL: database.url, KAFKA_BROKERS: '' });
    const brokers = async (): Promise<string> => readFile(path.join(folder, '.kappa-kafka/brokers'), 'utf8');
    const kappa = async <T>(...args: string[]): Promise<T> => {
      const ended = await runToEnd(COMMAND, [...args, '--config', CONFIG, '--json'], { env: env() });
      expect(ended.code, ended.stdout + ended.stderr).toBe(0);
      return JSON.parse(ended.stdout) as T;
    };

    it('starts a broker, sells on it, stops with it at Ctrl-C, and goes on with its data at the next start', async () => {
      const first = await start();
      const { orderId, position } = await buy(first.url);
      const { data } = await get<{ data: object }>(`${first.url}/api/orders/${orderId}?at=${position}`);
      expect(data).toMatchObject({ state: 'paid', totalCents: 900 });
      await confirmed(database.url, orderId);

      const { topics } = await kappa<{ topics: { name: string }[] }>('topics', 'list');
      expect(topics.map(({ name }) => name)).toEqual(expect.arrayContaining(['kappa.relay', 'orders']));
      const { groups } = await kappa<{ groups: { reader: string | null; progressIn: string }[] }>('groups', 'list');
      expect(groups).toContainEqual(expect.objectContaining({ reader: 'orders v1 build 1', progressIn: 'postgres' }));
      expect(await kappa<{ behind: number }>('relay', 'status')).toMatchObject({ relays: true, behind: 0 });

      const address = await brokers();
      expect(await answers(address)).toBe(true);
      expect(await first.stop()).toBe(0);
      expect(await answers(address)).toBe(false);
      expect(existsSync(path.join(folder, '.kappa'))).toBe(false);

      const second = await start();
      const kept = await get<{ data: object }>(`${second.url}/api/orders/${orderId}?at=${position}`);
      expect(kept.data).toMatchObject({ state: 'paid' });
      const { orderId: another } = await buy(second.url, 'tea');
      for (const id of [another, orderId]) await confirmed(database.url, id);
      expect(await second.stop()).toBe(0);
      expect(await answers(await brokers())).toBe(false);
    }, 240_000);
  },
  'java',
);

/** Whether somebody listens there. */
function answers(address: string): Promise<boolean> {
  const [host = '', port = ''] = address.split(':');
  return new Promise((resolve) => {
    const socket = connect(Number(port), host);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
