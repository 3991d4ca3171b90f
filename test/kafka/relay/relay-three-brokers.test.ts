import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { startKafka } from '../../../src/testing/kafka/start-kafka.js';
import type { StartedKafka } from '../../../src/testing/kafka/started-kafka.js';
import { describeWithOwnKafka } from '../../support/kafka.js';
import { RelayOnKafka } from './relay-on-kafka.js';

await describeWithOwnKafka('the relay to three brokers', () => {
  let kafka: StartedKafka;
  let house: RelayOnKafka;
  beforeAll(async () => {
    kafka = await startKafka({ brokers: 3, from: ['docker', 'java'] });
  });
  afterEach(() => house.stop());
  afterAll(() => kafka.stop());

  it('outlasts one of them being killed while it relays', { timeout: 90_000 }, async () => {
    house = await RelayOnKafka.start(kafka.brokers);
    await house.relay();
    await house.write(50);
    await house.relayed();
    const written = house.write(200);
    // It leads some partition of the topic, of positions or of transactions, and two replicas are left of each.
    await kafka.kill(Math.floor(Math.random() * 3));
    await written;
    await house.write(100);
    await house.relayed();
    expect(await house.problems()).toEqual([]);
  });
});
