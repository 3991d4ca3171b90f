import { Injectable, Module } from '@nestjs/common';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { aggregate, Commands, event, InjectReader, KappaModule, projection, Reader, refuse, topic, type } from 'nest-kappa';

/** A small application, the same in all tests of the Nest rim. */
export const Opened = event('account.opened', type<{ owner: string; rate: number }>());
export const Deposited = event('account.deposited', type<{ cents: number }>());
export const accounts = topic('accounts', { partitions: 2, events: [Opened, Deposited] });

export class OpenAccount {
  constructor(
    readonly accountId: string,
    readonly owner: string,
  ) {}
}
export class Deposit {
  constructor(
    readonly accountId: string,
    readonly cents: number,
  ) {}
}

/** A service of the application that `prepare` asks. */
@Injectable()
export class Rates {
  static current = 3;
  of(_owner: string): Promise<number> {
    return Promise.resolve(Rates.current);
  }
}

export const Account = aggregate({
  name: 'account',
  topic: accounts,
  id: 'accountId',
  initialState: (): { cents: number | null } => ({ cents: null }),
});
export const account = Account.evolve({
  'account.opened': () => ({ cents: 0 }),
  'account.deposited': (state, e) => ({ cents: (state.cents ?? 0) + e.data.cents }),
})
  .decide(
    OpenAccount,
    async (command, _state, inject) => inject(Rates).of(command.owner),
    (command, state, { facts }) =>
      state.cents === null ? [Opened({ owner: command.owner, rate: facts })] : refuse('account.exists'),
  )
  .decide(Deposit, (command, state) =>
    state.cents === null ? refuse('account.unknown') : [Deposited({ cents: command.cents })],
  );

@Entity({ synchronize: false })
export class BalanceRow {
  @PrimaryColumn('text') id!: string;
  @Column('text') owner!: string;
  @Column('int') rate!: number;
  @Column('int') cents!: number;
}
export const Balances = projection({ name: 'balances', version: 1, from: [accounts], table: BalanceRow });
export const balancesV1 = Balances.on(Opened, (_row, e) => ({
  id: e.stream.id,
  owner: e.data.owner,
  rate: e.data.rate,
  cents: 0,
})).on(Deposited, (row, e) => row && { ...row, cents: row.cents + e.data.cents });

@Injectable()
export class Bank {
  constructor(
    readonly commands: Commands,
    @InjectReader(Balances) readonly balances: Reader<BalanceRow>,
  ) {}

  async open(id: string, owner: string): Promise<BalanceRow | null> {
    const { position } = await this.commands.execute(new OpenAccount(id, owner));
    return this.balances.get(id, { at: position });
  }
}

@Module({
  imports: [KappaModule.forFeature({ aggregates: [account], projections: [balancesV1] })],
  providers: [Bank, Rates],
  exports: [Bank],
})
export class BankModule {}
