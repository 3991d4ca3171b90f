import { aggregate, event, topic, type } from 'nest-kappa';
import { kafka } from 'nest-kappa/kafka';
import { startKappaTest, type KappaTest } from 'nest-kappa/testing';
import type { Commands } from '../../../src/modules/aggregates/command.js';

/** The accounts of the README, in a topic of the test's own. */
export class Deposit {
  constructor(
    readonly accountId: string,
    readonly cents: number,
  ) {}
}

export async function startBank(topicName: string, brokers: readonly string[]): Promise<KappaTest> {
  const Deposited = event('account.deposited', type<{ cents: number }>());
  const account = aggregate({
    name: 'account',
    topic: topic(topicName, { partitions: 4, events: [Deposited] }),
    id: 'accountId',
    initialState: () => ({ cents: 0 }),
  })
    .evolve({ 'account.deposited': (state, e) => ({ cents: state.cents + e.data.cents }) })
    .decide(Deposit, ({ cents }) => [Deposited({ cents })]);
  return startKappaTest({ aggregates: [account], options: { log: kafka({ brokers }) } });
}

/** So many deposits of 1, 2, 3 … cents, on accounts of all partitions. */
export async function deposit(commands: Commands, from: number, to: number): Promise<void> {
  const amounts = Array.from({ length: to - from }, (_, n) => from + n + 1);
  await Promise.all(amounts.map((cents) => commands.execute(new Deposit(`account-${cents}`, cents))));
}
