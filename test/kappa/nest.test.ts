import 'reflect-metadata';
import {
  Injectable,
  Module,
  type INestApplicationContext,
  type OnApplicationBootstrap,
  type OnModuleInit,
  type Type,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  Commands,
  Database,
  KappaModule,
  KappaRestModule,
  projection,
  ProjectionOperations,
  type KappaOptions,
} from 'nest-kappa';
import { createMigratedDatabase } from '../../src/testing/migrated-database.js';
import type { TestDatabase } from '../../src/testing/test-server.js';
import {
  accounts,
  account,
  Balances,
  BalanceRow,
  balancesV1,
  Bank,
  BankModule,
  Deposit,
  Deposited,
  OpenAccount,
  Opened,
} from './bank.js';

/** Errors of the start come to the test instead of ending the process. */
const QUIETLY = Object.freeze({ logger: false as const, abortOnError: false });

let made: TestDatabase;
let options: KappaOptions;
const running: INestApplicationContext[] = [];

beforeEach(async () => {
  made = await createMigratedDatabase();
  options = { name: 'bank', database: { url: made.url } };
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((app) => app.close()));
  await made.drop();
});

async function boot(module: Type): Promise<INestApplicationContext> {
  const app = await NestFactory.createApplicationContext(module, QUIETLY);
  running.push(app);
  return app;
}

/** The error of a start that is refused. */
async function refused(module: Type): Promise<Error> {
  try {
    await boot(module);
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error('it started');
}

describe('an application with KappaModule', () => {
  it('executes commands with injected services, and reads what they did', async () => {
    @Module({ imports: [KappaModule.forRoot(options), BankModule] })
    class AppModule {}
    const app = await boot(AppModule);
    expect(await app.get(Bank, { strict: false }).open('a', 'Ann')).toEqual({ id: 'a', owner: 'Ann', rate: 3, cents: 0 });
    await expect(app.get(Bank, { strict: false }).open('a', 'Ann')).rejects.toMatchObject({ code: 'account.exists' });
    const [status] = await app.get(ProjectionOperations, { strict: false }).status();
    expect(status).toMatchObject({ name: 'balances', versions: [1] });
    const { rows } = await app.get(Database, { strict: false }).query('select owner from public.balances');
    expect(rows).toEqual([{ owner: 'Ann' }]);
    expect(app.get(Commands, { strict: false })).toBeInstanceOf(Commands);
  });

  it('takes its options from other providers', async () => {
    @Injectable()
    class Config {
      readonly kappa = options;
    }
    @Module({ providers: [Config], exports: [Config] })
    class ConfigModule {}
    @Module({
      imports: [
        KappaModule.forRootAsync({
          imports: [ConfigModule],
          inject: [Config],
          useFactory: (config: Config) => Promise.resolve(config.kappa),
        }),
        BankModule,
      ],
    })
    class AppModule {}
    const app = await boot(AppModule);
    expect(await app.get(Bank, { strict: false }).open('a', 'Ann')).toMatchObject({ owner: 'Ann' });
  });

  it('lets other modules execute commands and read while they bootstrap', async () => {
    const read: unknown[] = [];
    @Injectable()
    class Seeds implements OnModuleInit, OnApplicationBootstrap {
      constructor(private readonly bank: Bank) {}
      async onModuleInit(): Promise<void> {
        await this.bank.commands.execute(new OpenAccount('early', 'Eve'));
      }
      async onApplicationBootstrap(): Promise<void> {
        const { position } = await this.bank.commands.execute(new Deposit('early', 5));
        read.push(await this.bank.balances.get('early', { at: position }));
      }
    }
    @Module({ imports: [BankModule], providers: [Seeds] })
    class SeedsModule {}
    @Module({ imports: [SeedsModule, KappaModule.forRoot(options)] })
    class AppModule {}
    await boot(AppModule);
    expect(read).toEqual([{ id: 'early', owner: 'Eve', rate: 3, cents: 5 }]);
  });

  it('gathers what several modules declare, also where two of them list the same', async () => {
    const Owners = projection({ name: 'owners', version: 1, from: [accounts], table: BalanceRow });
    const owners = Owners.on(Opened, (_row, e) => ({ id: e.stream.id, owner: e.data.owner, rate: 0, cents: 0 }));
    @Module({
      imports: [KappaModule.forFeature({ projections: [owners, balancesV1] }), KappaRestModule.forFeature([Balances, Owners])],
    })
    class ReportsModule {}
    @Module({ imports: [KappaModule.forRoot(options), BankModule, ReportsModule] })
    class AppModule {}
    const app = await boot(AppModule);
    const statuses = await app.get(ProjectionOperations, { strict: false }).status();
    expect(statuses.map(({ name }) => name).sort()).toEqual(['balances', 'owners']);
  });

  it('does not meet another one in the same process', async () => {
    const second = await createMigratedDatabase();
    @Module({ imports: [KappaModule.forRoot(options), BankModule] })
    class OneModule {}
    @Module({ imports: [KappaModule.forRoot({ database: { url: second.url } }), BankModule] })
    class OtherModule {}
    const [one, other] = await Promise.all([boot(OneModule), boot(OtherModule)]);
    await one.get(Bank, { strict: false }).open('a', 'One');
    await other.get(Bank, { strict: false }).open('a', 'Other');
    expect(await one.get(Bank, { strict: false }).balances.get('a')).toMatchObject({ owner: 'One' });
    expect(await other.get(Bank, { strict: false }).balances.get('a')).toMatchObject({ owner: 'Other' });
    await other.close();
    running.splice(running.indexOf(other), 1);
    expect(await one.get(Bank, { strict: false }).open('b', 'One')).toMatchObject({ owner: 'One' });
    await second.drop();
  });

  it('does only what run names', async () => {
    @Module({ imports: [KappaModule.forRoot({ ...options, run: { commands: true } }), BankModule] })
    class ApiModule {}
    @Module({ imports: [KappaModule.forRoot({ ...options, run: { projections: true } }), BankModule] })
    class WorkerModule {}
    const api = await boot(ApiModule);
    const { commands, balances } = api.get(Bank, { strict: false });
    const { position } = await commands.execute(new OpenAccount('a', 'Ann'));
    await expect(balances.get('a', { at: position, timeoutMs: 100 })).rejects.toMatchObject({ code: 'KAPPA_READ_TIMEOUT' });
    const worker = await boot(WorkerModule);
    await expect(worker.get(Bank, { strict: false }).commands.execute(new Deposit('a', 1))).rejects.toMatchObject({
      code: 'KAPPA_COMMANDS_OFF',
    });
    expect(await balances.get('a', { at: position })).toMatchObject({ owner: 'Ann' });
  });

  it('keeps what was appended over a restart, and goes on', async () => {
    @Module({ imports: [KappaModule.forRoot(options), BankModule] })
    class AppModule {}
    const first = await boot(AppModule);
    await first.get(Bank, { strict: false }).open('a', 'Ann');
    await first.close();
    await first.close();
    const again = await boot(AppModule);
    const { commands, balances } = again.get(Bank, { strict: false });
    const { version, position } = await commands.execute(new Deposit('a', 7));
    expect(version).toBe(2);
    expect(await balances.get('a', { at: position })).toMatchObject({ cents: 7 });
  });

  it('says that forRoot is missing', async () => {
    @Module({ imports: [BankModule] })
    class AppModule {}
    expect(await refused(AppModule)).toMatchObject({ code: 'KAPPA_NO_ROOT' });
    @Module({ imports: [KappaModule.forRoot(options), KappaModule.forRoot(options)] })
    class TwiceModule {}
    expect(await refused(TwiceModule)).toMatchObject({ code: 'KAPPA_TWO_ROOTS' });
  });

  it('tells every problem of its options and definitions at once, without a stack', async () => {
    const Twin = projection({ name: 'balances', version: 1, from: [accounts], table: BalanceRow }).on(Deposited, () => null);
    @Module({
      imports: [
        KappaModule.forFeature({ aggregates: [account, undefined as never], projections: [Twin] }),
        BankModule,
        KappaModule.forRoot({ ...options, runn: {} } as KappaOptions),
      ],
    })
    class AppModule {}
    const error = await refused(AppModule);
    expect(error).toMatchObject({ code: 'KAPPA_BAD_OPTIONS' });
    expect(error.message).toMatch(
      /runn is unknown; did you mean run\?[^]*aggregates\[1\][^]*balances version 1 is declared twice/,
    );
    expect(error.stack).toBe(error.message);
  });

  it('says what is used too early', async () => {
    @Injectable()
    class TooEarly {
      constructor(commands: Commands) {
        void commands.execute(new Deposit('a', 1));
      }
    }
    @Module({ imports: [KappaModule.forFeature({})], providers: [TooEarly] })
    class EarlyModule {}
    @Module({ imports: [KappaModule.forRoot(options), EarlyModule] })
    class AppModule {}
    expect(await refused(AppModule)).toMatchObject({ code: 'KAPPA_NOT_STARTED' });
  });
});
