import { Kafka, logLevel } from 'kafkajs';
import { expect, it } from 'vitest';
import { kafka } from 'nest-kappa/kafka';
import { startKappaTest } from 'nest-kappa/testing';
import { startKafka } from '../../../src/testing/kafka/start-kafka.js';
import { account, accounts, Balances, balancesV1, Deposit, OpenAccount, Rates } from '../../kappa/bank.js';
import { describeWithOwnKafka } from '../../support/kafka.js';
import { pause } from '../../../src/database/backoff.js';

/** Kafka forgets the offsets of a group within a week of silence, here within a minute: the test takes as long. */
await describeWithOwnKafka('a week of silence', () => {
  it('costs nothing: relay and projections go on right after it', { timeout: 300_000 }, async () => {
    const brokers = await startKafka({
      from: ['docker', 'java'],
      properties: { 'offsets.retention.minutes': '1', 'offsets.retention.check.interval.ms': '1000' },
    });
    const inject = <T>(): T => new Rates() as T;
    const app = await startKappaTest({
      aggregates: [account],
      projections: [balancesV1],
      inject,
      options: { log: kafka({ brokers: brokers.brokers }) },
    });
    const { position } = await app.commands.execute(new OpenAccount('a', 'Ann'));
    expect(await app.reader(Balances).get('a', { at: position })).toMatchObject({ cents: 0 });
    const silent = await app.log.offsets(accounts.name);

    await offsetsForgotten(brokers.brokers);
    expect(await app.log.offsets(accounts.name)).toEqual(silent);
    const deposited = await app.commands.execute(new Deposit('a', 17));
    expect(await app.reader(Balances).get('a', { at: deposited.position })).toMatchObject({ cents: 17 });
    expect(app.runtime.relayHealth).toMatchObject({ state: 'relaying' });
    await app.stop();
    await brokers.stop();
  });
});

/** Resolves when Kafka has forgotten what an idle group committed. */
async function offsetsForgotten(brokers: readonly string[]): Promise<void> {
  const admin = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  const committed = async (): Promise<string | undefined> =>
    (await admin.fetchOffsets({ groupId: 'idle', topics: ['accounts'] }))[0]?.partitions.find(
      ({ partition }) => partition === 0,
    )?.offset;
  await admin.setOffsets({ groupId: 'idle', topic: 'accounts', partitions: [{ partition: 0, offset: '1' }] });
  expect(await committed()).toBe('1');
  const looking = new AbortController();
  while ((await committed()) !== '-1') await pause(1_000, looking.signal);
  await admin.disconnect();
}
