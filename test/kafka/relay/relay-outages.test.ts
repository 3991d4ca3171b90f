import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { startKafka } from '../../../src/testing/kafka/start-kafka.js';
import type { StartedKafka } from '../../../src/testing/kafka/started-kafka.js';
import { describeWithOwnKafka } from '../../support/kafka.js';
import { TcpProxy } from '../../../src/testing/tcp-proxy.js';
import { RelayOnKafka } from './relay-on-kafka.js';

/** Kafka's number of the request that writes. */
const PRODUCE = 0;

await describeWithOwnKafka('the relay when its brokers are struck', () => {
  let kafka: StartedKafka;
  let direct: string;
  let proxy: TcpProxy;
  let house: RelayOnKafka;
  beforeAll(async () => {
    kafka = await startKafka({
      from: ['docker', 'java'],
      advertise: async (address) => {
        direct = address;
        proxy = await TcpProxy.start(`kafka://${address}`);
        return new URL(proxy.url).host;
      },
    });
  });
  afterEach(() => house.stop());
  afterAll(async () => {
    await kafka.stop();
    await proxy.stop();
  });

  it('repeats and loses nothing when connections are cut in the middle of batches', { timeout: 60_000 }, async () => {
    house = await RelayOnKafka.start(kafka.brokers);
    await house.relay();
    for (let round = 0; round < 15; round += 1) {
      const written = house.write(60);
      await house.write(1 + Math.floor(Math.random() * 10));
      proxy.cutOnce();
      await written;
    }
    await house.relayed();
    expect(await house.problems()).toEqual([]);
  });

  it('repeats and loses nothing when batches are written and the answers to them are lost, or cut in half', async () => {
    house = await RelayOnKafka.start(kafka.brokers);
    await house.relay();
    for (let round = 0; round < 15; round += 1) {
      const lost = proxy.loseKafkaAnswerTo([PRODUCE], round % 2 === 0 ? 'cut' : 'halved');
      await house.write(1 + Math.floor(Math.random() * 30));
      await lost;
    }
    await house.relayed();
    expect(await house.problems()).toEqual([]);
  });

  it('lets commands go on while the broker is down, says so, and catches up when it is back', { timeout: 90_000 }, async () => {
    house = await RelayOnKafka.start(kafka.brokers);
    const { relay } = await house.relay({ retryMs: 500 });
    await house.write(40);
    await house.relayed();
    await kafka.kill(0);
    await house.write(400);
    await house.logger.said(/relay of tallies-\w+\/\d: .*nothing is lost, trying again/);
    expect(relay.health).toMatchObject({
      state: 'waiting-for-log',
      text: expect.stringMatching(/^waiting for kafka since \d{4}-/) as string,
    });
    await kafka.restart(0);
    await house.relayed();
    expect(await house.problems()).toEqual([]);
    expect(relay.health.state).toBe('relaying');
    expect(direct).not.toBe(kafka.brokers[0]);
  });
});
