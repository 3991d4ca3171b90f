import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ConfigResourceTypes } from 'kafkajs';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { identityOf } from '../../../src/database/embedded/process-identity.js';
import { startKafka, type StartedKafka, type StartKafkaOptions } from '../../../src/testing/index.js';
import { describeWithOwnKafka } from '../../support/kafka.js';
import { TcpProxy } from '../../../src/testing/tcp-proxy.js';
import { homeOf } from './home-of.js';
import { clientOf, newTopic, read, topicsOf, write } from './round-trip.js';

const TIMEOUT_MS = 120_000;

await describeWithOwnKafka(
  'one broker',
  () => {
    const proxies: TcpProxy[] = [];
    let kafka: StartedKafka;

    beforeAll(async () => {
      kafka = await startKafka({
        from: ['java'],
        properties: { 'offsets.retention.minutes': '1' },
        advertise: async (address) => {
          const proxy = await TcpProxy.start(`kafka://${address}`);
          proxies.push(proxy);
          return new URL(proxy.url).host;
        },
      });
    }, TIMEOUT_MS);
    afterAll(async () => {
      await kafka.stop();
      for (const proxy of proxies) await proxy.stop();
    });

    it(
      'takes transactions and groups as soon as it is there, and keeps its data and address over a kill',
      async () => {
        const client = clientOf(kafka.brokers);
        const topic = await newTopic(client);
        await write(client, topic, ['one', 'two']);
        expect(await read(client, topic, 2)).toEqual(['one', 'two']);
        const [address] = kafka.brokers;
        await kafka.kill(0);
        await kafka.kill(0);
        expect(kafka.pids).toEqual([null]);
        await expect(kafka.pause(0)).rejects.toThrow('KAPPA_KAFKA_NO_BROKER: broker 0 is down. Start it with restart(0).');
        await kafka.restart(0);
        expect(kafka.brokers).toEqual([address]);
        await write(client, topic, ['three']);
        expect(await read(client, topic, 3)).toEqual(['one', 'two', 'three']);
      },
      TIMEOUT_MS,
    );

    it('has the properties that were given, and tells clients the address of a proxy', async () => {
      expect(kafka.brokers).toEqual([new URL(proxies.at(-1)?.url ?? '').host]);
      const admin = clientOf(kafka.brokers).admin();
      await admin.connect();
      const { brokers } = await admin.describeCluster();
      expect(brokers.map(({ host, port }) => `${host}:${port}`)).toEqual(kafka.brokers);
      const name = 'offsets.retention.minutes';
      const resource = { type: ConfigResourceTypes.BROKER, name: '0', configNames: [name] };
      const { resources } = await admin.describeConfigs({ resources: [resource], includeSynonyms: false });
      expect(resources[0]?.configEntries).toMatchObject([{ configName: name, configValue: '1' }]);
      await admin.disconnect();
    });

    it('does nothing while it is paused, and goes on afterwards', async () => {
      const impatient = { requestTimeout: 2_000, retry: { retries: 0 } };
      const admin = clientOf(kafka.brokers, impatient).admin();
      await admin.connect();
      await kafka.pause(0);
      // Whatever it says: kafkajs may lose the timeout on its way, and stumble over the answer that it has not got.
      await expect(admin.listTopics()).rejects.toThrow();
      await kafka.resume(0);
      expect(await topicsOf(clientOf(kafka.brokers))).toContain('__transaction_state');
      await admin.disconnect();
    });

    it('leaves no process and no file behind, and can be stopped twice', async () => {
      const pid = kafka.pids[0] ?? 0;
      const home = await homeOf(pid);
      expect(existsSync(home)).toBe(true);
      await Promise.all([kafka.stop(), kafka.stop()]);
      expect(await identityOf(pid)).toBeNull();
      expect(existsSync(home)).toBe(false);
      expect(kafka.pids).toEqual([null]);
    });
  },
  'java',
);

await describeWithOwnKafka(
  'one broker, started in other ways',
  () => {
    const cleared: (() => Promise<unknown>)[] = [];
    afterEach(async () => {
      for (const clear of cleared.splice(0).reverse()) await clear();
    });

    async function start(options: StartKafkaOptions): Promise<StartedKafka> {
      const kafka = await startKafka({ from: ['java'], ...options });
      cleared.push(() => kafka.stop());
      return kafka;
    }

    it(
      'keeps its data in a folder that is named, for a cluster of that size alone',
      async () => {
        const dataDir = await mkdtemp(path.join(tmpdir(), 'kafka-test-'));
        cleared.push(() => rm(dataDir, { recursive: true, force: true }));
        const before = await start({ dataDir });
        const topic = await newTopic(clientOf(before.brokers));
        await write(clientOf(before.brokers), topic, ['one']);
        await before.stop();
        const after = await start({ dataDir });
        expect(after.brokers).toEqual(before.brokers);
        expect(await read(clientOf(after.brokers), topic, 1)).toEqual(['one']);
        await after.stop();
        await expect(start({ dataDir, brokers: 3 })).rejects.toThrow(/KAPPA_KAFKA_START: .* cluster of 1, not of 3\. Start 1/);
      },
      TIMEOUT_MS,
    );

    it(
      'says what it said itself when it does not come up, and leaves nothing behind',
      async () => {
        const failing = start({ properties: { 'metric.reporters': 'no.such.Reporter' } });
        await expect(failing).rejects.toThrow(/^KAPPA_KAFKA_START: .*broker 0 has ended .*no\.such\.Reporter/s);
        const { facts } = await failing.then(
          () => expect.unreachable(),
          (error: unknown) => error as { readonly facts: { readonly folder: string } },
        );
        expect(existsSync(facts.folder)).toBe(false);
        const misspelt = start({ properties: { 'num.io.threads': 'many' } });
        await expect(misspelt).rejects.toThrow(/^KAPPA_KAFKA_START: .*could not be formatted.*num\.io\.threads/s);
      },
      TIMEOUT_MS,
    );
  },
  'java',
);
