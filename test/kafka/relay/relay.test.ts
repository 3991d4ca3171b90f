import { Kafka, logLevel } from 'kafkajs';
import { afterEach, expect, it } from 'vitest';
import { RELAY_TOPIC } from '../../../src/modules/aggregates/relay/relay-record.js';
import { describeOnKafka } from '../../support/kafka.js';
import { PARTITIONS, RelayOnKafka } from './relay-on-kafka.js';

await describeOnKafka('the relay to a broker', 1, (brokers) => {
  let house: RelayOnKafka;
  afterEach(() => house.stop());

  it('copies every row once, in order, and what was appended is what a consumer is given', async () => {
    house = await RelayOnKafka.start(brokers);
    await house.write(300);
    await house.relay();
    await house.relayed();
    await house.write(500);
    await house.relayed();
    expect(await house.problems()).toEqual([]);
    expect(house.logger.lines).toEqual([]);
  });

  it('goes on where it stopped, whatever lies between', async () => {
    house = await RelayOnKafka.start(brokers);
    for (let round = 0; round < 4; round += 1) {
      await house.write(50);
      const { stop } = await house.relay();
      await house.relayed();
      await stop();
    }
    expect(await house.problems()).toEqual([]);
  });

  it('sends nothing while nothing is appended', async () => {
    house = await RelayOnKafka.start(brokers);
    await house.write(40);
    const { relay } = await house.relay({ topicsIntervalMs: 20 });
    await house.relayed();
    const ends = await house.ends(house.topic);
    const before = relay.health.partitions;
    // Its group is looked at ten times a second, and topics as often as it can: another relay joins and leaves meanwhile.
    const other = await house.relay();
    await other.stop();
    expect(await house.ends(house.topic)).toEqual(ends);
    expect(before).toHaveLength(PARTITIONS);
  });

  it('finds a lost position again from what stands in its topic', async () => {
    house = await RelayOnKafka.start(brokers);
    await house.write(60);
    const { stop } = await house.relay();
    await house.relayed();
    await stop();
    // Tombstones, for other tests have their positions in the same topic.
    const producer = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING }).producer();
    await producer.connect();
    await producer.send({
      topic: RELAY_TOPIC,
      messages: Array.from({ length: PARTITIONS }, (_, n) => ({ key: `${house.topic}/${n}`, value: null, partition: 0 })),
    });
    await producer.disconnect();
    await house.write(60);
    await house.relay();
    await house.relayed();
    for (let partition = 0; partition < PARTITIONS; partition += 1)
      await house.logger.said(new RegExp(`relay of ${house.topic}/${partition}: its position was lost; set to \\d+`));
    expect(await house.problems()).toEqual([]);
  });

  it('refuses a topic into which somebody else has written', async () => {
    house = await RelayOnKafka.start(brokers);
    const producer = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING }).producer();
    await producer.connect();
    await producer.send({ topic: house.topic, messages: [{ key: 'a', value: '{}', partition: 2 }] });
    await producer.disconnect();
    await house.write(40);
    const { relay } = await house.relay();
    await house.logger.said(/relay of tallies-\w+\/2 stopped\. KAPPA_FOREIGN_RECORD/);
    expect(relay.health).toMatchObject({ state: 'failed' });
  });
});
