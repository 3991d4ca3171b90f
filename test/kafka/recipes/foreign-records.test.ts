import 'reflect-metadata';
import type { Producer } from 'kafkajs';
import { afterEach, expect, it, vi } from 'vitest';
import type { ProjectionDefinition } from 'nest-kappa';
import { kafka } from 'nest-kappa/kafka';
import { startKappaTest } from 'nest-kappa/testing';
import { uniqueName } from '../../../src/testing/log-conformance/log-under-test.js';
import { importBlock } from '../../support/documented.js';
import { describeOnKafka } from '../../support/kafka.js';

const PAGE = 'docs/recipes/read-foreign-records.md';

interface Bank {
  readonly producer: Producer;
  bookPayment(iban: string, amount: string, reference: string): Promise<void>;
  beat(): Promise<void>;
}

await describeOnKafka('records of another service', 1, (brokers) => {
  const stops: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
    vi.unstubAllEnvs();
  });

  it('written with its own client in its own shape reach a projection', { timeout: 90_000 }, async () => {
    vi.stubEnv('KAFKA_BROKERS', brokers.join(','));
    const topic = uniqueName('bank-statements');
    const onOwnTopic = (text: string): string => text.replaceAll(`'bank-statements'`, `'${topic}'`);
    const { bankBalancesV1 } = await importBlock<{ readonly bankBalancesV1: ProjectionDefinition }>(
      PAGE,
      'bank-balances',
      onOwnTopic,
    );
    const kappa = await startKappaTest({ projections: [bankBalancesV1], options: { log: kafka({ brokers }) } });
    stops.push(() => kappa.stop());
    const bank = await importBlock<Bank>(PAGE, 'bank', onOwnTopic);
    await bank.producer.connect();
    stops.push(() => bank.producer.disconnect());
    const balances = async () =>
      (await kappa.database.query('select iban, cents from public.bank_balances order by iban')).rows;

    await bank.bookPayment('DE01', '12.50', 'r1');
    await bank.beat();
    await bank.bookPayment('DE02', '3.00', 'r2');
    await bank.bookPayment('DE01', '0.25', 'r3');
    await kappa.caughtUp({ timeoutMs: 60_000 });
    expect(await balances()).toEqual([
      { iban: 'DE01', cents: 1275 },
      { iban: 'DE02', cents: 300 },
    ]);

    const phases: string[] = [];
    for await (const step of kappa.operations.rebuild({ projections: ['bank_balances'], swap: true })) phases.push(step.phase);
    expect(phases.at(-1)).toBe('swapped');
    expect(await balances()).toEqual([
      { iban: 'DE01', cents: 1275 },
      { iban: 'DE02', cents: 300 },
    ]);
  });
});
