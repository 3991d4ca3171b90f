import 'reflect-metadata';
import { mkdir, writeFile } from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { NestFactory } from '@nestjs/core';
import type { KafkaOptions } from '@nestjs/microservices';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { KappaTest } from 'nest-kappa/testing';
import { topicName } from '../../../src/kernel/names.js';
import { uniqueName } from '../../../src/testing/log-conformance/log-under-test.js';
import { json, run } from '../../cli/run-command.js';
import { importBlock } from '../../support/documented.js';
import { describeOnKafka } from '../../support/kafka.js';
import { deposit, startBank } from './bank.js';

const PAGE = 'docs/recipes/other-services.md';

interface Mails {
  readonly sent: readonly { readonly to: string; readonly cents: number; readonly id: string }[];
}
interface Microservice {
  readonly MailsModule: new () => object;
  readonly Mails: new () => Mails;
  readonly mailsOptions: KafkaOptions;
}
interface Deposit {
  readonly account: string;
  readonly cents: number;
  readonly at: string;
}
interface Consumer {
  readDeposits(groupId: string, onDeposit: (deposit: Deposit) => void): Promise<() => Promise<void>>;
}

await describeOnKafka('other services', 1, (brokers) => {
  let topic: string;
  let bank: KappaTest;
  const stops: (() => Promise<unknown>)[] = [];

  beforeEach(async () => {
    vi.stubEnv('KAFKA_BROKERS', brokers.join(','));
    topic = uniqueName('accounts');
    bank = await startBank(topic, brokers);
    stops.push(() => bank.stop());
  });
  afterEach(async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
    vi.unstubAllEnvs();
  });

  const onOwnTopic = (text: string): string => text.replaceAll(`'accounts'`, `'${topic}'`);
  const consumer = (): Promise<Consumer> => importBlock<Consumer>(PAGE, 'consumer', onOwnTopic);
  const read = async (group: string): Promise<{ readonly seen: Deposit[]; stop(): Promise<void> }> => {
    const seen: Deposit[] = [];
    const { readDeposits } = await consumer();
    const stop = await readDeposits(group, (one) => seen.push(one));
    stops.push(stop);
    return { seen, stop };
  };
  const cents = (...seen: readonly (readonly { readonly cents: number }[])[]): number[] =>
    seen
      .flat()
      .map((one) => one.cents)
      .sort((a, b) => a - b);
  const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n + 1);

  it('of stock Nest read events by their headers and JSON', { timeout: 90_000 }, async () => {
    await deposit(bank.commands, 0, 6);
    const { MailsModule, Mails, mailsOptions } = await importBlock<Microservice>(PAGE, 'microservice', (text) =>
      onOwnTopic(text).replace(`groupId: 'mails'`, `groupId: '${uniqueName('mails')}'`),
    );
    const service = await NestFactory.createMicroservice(MailsModule, { ...mailsOptions, logger: ['error'] });
    stops.push(() => service.close());
    await service.listen();
    const { sent } = service.get<Mails>(Mails);
    while (sent.length < 6) await nextTurn();
    expect(cents(sent)).toEqual(upTo(6));
    expect(sent.find((mail) => mail.cents === 3)).toMatchObject({ to: 'account-3' });
    expect(new Set(sent.map(({ id }) => id)).size).toBe(6);
    await deposit(bank.commands, 6, 7);
    while (sent.length < 7) await nextTurn();
    expect(sent.at(-1)).toMatchObject({ to: 'account-7', cents: 7 });
  });

  it('with kafkajs alone share the work within a group, and each group gets everything', { timeout: 90_000 }, async () => {
    const [audit, statistics] = [uniqueName('audit'), uniqueName('statistics')];
    const [first, second, other] = [await read(audit), await read(audit), await read(statistics)];
    // What is written from here on is divided: both have joined when the group shows them both with partitions.
    for (;;) {
      const members = (await bank.log.groups.describe(audit))?.members ?? [];
      if (members.length === 2 && members.every(({ partitions }) => partitions.length === 2)) break;
    }
    await deposit(bank.commands, 0, 40);
    while (first.seen.length + second.seen.length < 40 || other.seen.length < 40) await nextTurn();
    expect(cents(first.seen, second.seen)).toEqual(upTo(40));
    expect(cents(other.seen)).toEqual(upTo(40));
    expect(Math.min(first.seen.length, second.seen.length)).toBeGreaterThan(0);
    expect(first.seen[0]?.at).toMatch(/^\d{4}-\d{2}-\d{2}T/);
  });

  it('read again from where an operator moves their group to', { timeout: 120_000 }, async () => {
    const group = uniqueName('audit');
    await deposit(bank.commands, 0, 8);
    const before = await read(group);
    while (before.seen.length < 8) await nextTurn();
    await before.stop();
    const since = new Date();
    await deposit(bank.commands, 8, 12);
    const between = await read(group);
    while (between.seen.length < 4) await nextTurn();
    await between.stop();
    expect(cents(between.seen)).toEqual([9, 10, 11, 12]);

    const config = await kafkaConfig(bank.url, brokers);
    const seek = async (...where: readonly string[]): Promise<Deposit[]> => {
      const sought = await run(['groups', 'seek', group, topic, ...where, '--yes', '--config', config]);
      expect(sought.code, sought.stderr).toBe(0);
      const { document } = await json<{ readonly behind: number }>(['groups', 'show', group, '--config', config]);
      const again = await read(group);
      while (again.seen.length < document.behind) await nextTurn();
      await again.stop();
      return again.seen;
    };
    expect(cents(await seek('--to-time', since.toISOString()))).toEqual([9, 10, 11, 12]);
    expect(cents(await seek('--to-begin'))).toEqual(upTo(12));
    const ends = await bank.log.offsets(topicName(topic));
    const later = await seek('--to-offset', '1');
    expect(later).toHaveLength(ends.reduce((sum, { end }) => sum + Math.max(0, end - 1), 0));
  });
});

/** Options alone, as a `kappa.config` file that the built command loads. */
async function kafkaConfig(url: string, brokers: readonly string[]): Promise<string> {
  const folder = new URL('../../../dist/.documented/', import.meta.url);
  await mkdir(folder, { recursive: true });
  const file = new URL(`${uniqueName('config')}.mjs`, folder);
  await writeFile(
    file,
    `import { kafka } from 'nest-kappa/kafka';
export default { options: { database: { url: ${JSON.stringify(url)} }, log: kafka({ brokers: ${JSON.stringify(brokers)} }) } };`,
  );
  return file.pathname;
}
