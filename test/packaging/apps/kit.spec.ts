import { aggregate, event, refuse, topic, type } from 'nest-kappa';
import { given } from 'nest-kappa/testing';

const Deposited = event('account.deposited', type<{ cents: number }>());
const accounts = topic('accounts', { events: [Deposited] });

class Deposit {
  constructor(
    readonly accountId: string,
    readonly cents: number,
  ) {}
}

const account = aggregate({ name: 'account', topic: accounts, id: 'accountId', initialState: () => ({ cents: 0 }) })
  .evolve({ 'account.deposited': (state, e) => ({ cents: state.cents + e.data.cents }) })
  .decide(Deposit, ({ cents }, state) => (state.cents < 1_000 ? [Deposited({ cents })] : refuse('account.full')));

describe('the testing kit', () => {
  it('says what is decided', async () => {
    await given(account).when(new Deposit('ann', 5)).then(Deposited({ cents: 5 }));
    await given(account, Deposited({ cents: 1_000 })).when(new Deposit('ann', 5)).thenRefused('account.full');
  });
});
