import 'reflect-metadata';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { describe, expect, it } from 'vitest';
import { aggregate, event, KappaError, projection, refuse, topic, type } from 'nest-kappa';
import { MemoryLog } from '../../src/log/memory/memory-log.js';
import { checkOptions } from '../../src/modules/kappa/options-check.js';
import type { KappaConfig } from '../../src/modules/kappa/kappa-options.js';

const Opened = event('account.opened', type<{ owner: string }>());
const accounts = topic('accounts', { partitions: 2, events: [Opened] });
class OpenAccount {
  constructor(
    readonly accountId: string,
    readonly owner: string,
  ) {}
}
@Entity({ synchronize: false })
class AccountRow {
  @PrimaryColumn('text') id!: string;
}
@Entity()
class BadRow {
  @PrimaryColumn('text') id!: string;
  @Column('numeric', { precision: 12, scale: 2 }) paid!: number;
}
const Account = aggregate({ name: 'account', topic: accounts, id: 'accountId', initialState: () => ({ open: false }) });
const account = Account.evolve({ 'account.opened': () => ({ open: true }) }).decide(OpenAccount, (command, state) =>
  state.open ? refuse('account.open') : [Opened({ owner: command.owner })],
);
const Accounts = projection({ name: 'accounts', version: 1, from: [accounts], table: AccountRow });
const accountsV1 = Accounts.on(Opened, (_row, e) => ({ id: e.stream.id }));

function problemsOf(config: unknown, env: Record<string, string> = {}): readonly string[] {
  try {
    checkOptions(config as KappaConfig, env);
  } catch (error) {
    if (error instanceof KappaError && error.code === 'KAPPA_BAD_OPTIONS') return error.facts['problems'] as readonly string[];
    throw error;
  }
  return [];
}

describe('options', () => {
  it('get every default, and are frozen', () => {
    const options = checkOptions({ aggregates: [account], projections: [accountsV1] }, {});
    expect(options).toMatchObject({
      name: 'nest-kappa',
      database: {
        url: null,
        dataDir: './.kappa',
        schema: 'kappa',
        viewSchema: 'public',
        migrate: 'auto',
        poolSize: 10,
        connectTimeoutMs: 30_000,
      },
      log: { driver: null, maxRecordBytes: 921_600 },
      run: { commands: true, relay: true, projections: true, policies: true, rest: true },
      projections: {
        rebuildMemoryMb: 256,
        standbyHours: 24,
        onChangedCode: 'rebuild',
        deadLetters: { retries: 3, halt: false, maxLetters: 1_000 },
      },
      commands: { stateCacheSize: 10_000, retries: 10 },
    });
    expect(options.definitions.topics.map(({ name }) => name)).toEqual(['accounts']);
    expect(Object.isFrozen(options) && Object.isFrozen(options.database) && Object.isFrozen(options.run)).toBe(true);
  });

  it('are all told at once, with what was probably meant', () => {
    const problems = problemsOf({
      options: {
        databse: {},
        url: 'x',
        database: { urll: 'x', poolSize: 0, migrate: 'never', schema: '' },
        run: { comands: true },
        projections: { rebuildMemoryMb: '1', deadLetters: { retrys: 1 } },
        commands: [],
      },
      aggregate: [],
    });
    expect(problems).toEqual([
      'aggregate is unknown; did you mean aggregates?',
      'databse is unknown; did you mean database?',
      'url is unknown here; did you mean database.url?',
      'database.urll is unknown; did you mean url?',
      'database.poolSize is 0; must be a whole number from 2 to 1000',
      "database.migrate is \"never\"; must be 'auto' or 'check'",
      'database.schema is ""; must be an SQL name of 1 to 63 bytes',
      'run.comands is unknown; did you mean commands?',
      'projections.rebuildMemoryMb is "1"; must be a whole number from 1 to 1048576',
      'projections.deadLetters is {"retrys":1}; retrys is unknown there; did you mean retries?',
      'commands is []; must be an object with stateCacheSize, retries',
    ]);
  });

  it('never show what stands in a URL', () => {
    const [problem] = problemsOf({ options: { database: { url: 'mysql://me:secret@host/db' } } });
    expect(problem).toBe('database.url is no such URL; must be postgres://user:password@host:port/database');
    expect(problemsOf({}, { DATABASE_URL: 'secret' })[0]).not.toContain('secret');
  });

  it('take what code names before the environment, and the environment before the default', () => {
    const env = { DATABASE_URL: 'postgres://env/db' };
    expect(checkOptions({ options: { database: { url: 'postgres://code/db' } } }, env).database.url).toBe('postgres://code/db');
    expect(checkOptions({ options: { database: { dataDir: './here' } } }, env).database).toMatchObject({
      url: null,
      dataDir: './here',
    });
    expect(checkOptions({}, env).database.url).toBe('postgres://env/db');
    expect(checkOptions({}, { KAPPA_DATA_DIR: '/data' }).database).toMatchObject({ url: null, dataDir: '/data' });
    expect(checkOptions({}, { DATABASE_URL: '' }).database).toMatchObject({ url: null, dataDir: './.kappa' });
  });

  it('refuse a server and a folder together', () => {
    expect(problemsOf({ options: { database: { url: 'postgres://h/db', dataDir: 'd' } } })).toEqual([
      'database.url and database.dataDir contradict each other; name one',
    ]);
    expect(problemsOf({}, { DATABASE_URL: 'postgres://h/db', KAPPA_DATA_DIR: 'd' })).toEqual([
      'DATABASE_URL and KAPPA_DATA_DIR contradict each other; unset one',
    ]);
  });

  it('refuse production without a named database, and tell the fix', () => {
    const production = { NODE_ENV: 'production' };
    expect(problemsOf({}, production)[0]).toMatch(
      /no database is named and NODE_ENV is production.*set DATABASE_URL or database\.url/,
    );
    expect(problemsOf({}, { ...production, DATABASE_URL: 'postgres://h/db' })).toEqual([]);
    expect(problemsOf({}, { ...production, KAPPA_DATA_DIR: '/data' })).toEqual([]);
    expect(problemsOf({ options: { database: { dataDir: '/data' } } }, production)).toEqual([]);
    expect(checkOptions({}, { ...production, DATABASE_URL: 'postgres://h/db' }).projections.onChangedCode).toBe('warn');
  });

  it('take a log that is opened by a driver, and tell one that looks like it', () => {
    const driver = { driver: 'memory', maxRecordBytes: 5_000, open: () => new MemoryLog() };
    expect(checkOptions({ options: { log: driver } }, {}).log).toEqual({ driver, maxRecordBytes: 5_000 });
    expect(problemsOf({ options: { log: { brokers: ['localhost:9092'] } } })).toEqual([
      "log.brokers is unknown here; did you mean log: kafka({ brokers }), by kafka of 'nest-kappa/kafka'?",
    ]);
  });

  it('choose what a process does by code, else by KAPPA_RUN', () => {
    expect(checkOptions({}, { KAPPA_RUN: 'commands, rest' }).run).toEqual({
      commands: true,
      relay: false,
      projections: false,
      policies: false,
      rest: true,
    });
    expect(checkOptions({ options: { run: { projections: true } } }, { KAPPA_RUN: 'commands' }).run).toEqual({
      commands: false,
      relay: false,
      projections: true,
      policies: false,
      rest: false,
    });
    expect(problemsOf({}, { KAPPA_RUN: 'projection' })).toEqual(['KAPPA_RUN=projection is unknown; did you mean projections?']);
  });
});

describe('definitions', () => {
  it('may be listed by several modules', () => {
    expect(
      checkOptions({ aggregates: [account, account], projections: [accountsV1, accountsV1] }, {}).definitions,
    ).toMatchObject({ aggregates: [account], projections: [accountsV1] });
  });

  it('that are declared twice are all told', () => {
    const again = topic('accounts', { partitions: 3, events: [Opened] });
    const other = aggregate({ name: 'other', topic: accounts, id: 'accountId', initialState: () => null }).evolve({
      'account.opened': () => null,
    });
    const problems = problemsOf({
      aggregates: [account, Account.evolve({ 'account.opened': () => ({ open: true }) }), other.decide(OpenAccount, () => [])],
      projections: [
        accountsV1,
        Accounts.on(Opened, () => null),
        projection({ name: 'more', version: 1, from: [again], table: AccountRow }).on(Opened, () => null),
      ],
    });
    expect(problems).toEqual([
      'aggregate account is declared twice; give each its own name',
      'projection accounts version 1 is declared twice; raise the version of one',
      'command OpenAccount is decided by the aggregates account and other; a command belongs to one',
      'topic accounts is declared twice, with 2 and 3 partitions; declare it once and import it',
    ]);
  });

  it('that declare one event type in two ways are told', () => {
    const OpenedToo = event('account.opened', type<{ name: string }>());
    const twin = topic('accounts', { partitions: 2, events: [OpenedToo] });
    const archive = topic('archive', { partitions: 2, events: [OpenedToo] });
    const both = projection({
      name: 'both',
      version: 1,
      from: [accounts, archive as unknown as typeof accounts],
      table: AccountRow,
    }).on(Opened, () => null);
    expect(
      problemsOf({
        aggregates: [account],
        projections: [
          both,
          projection({ name: 'twin', version: 1, from: [twin], table: AccountRow }).on(OpenedToo, () => null),
        ],
      }),
    ).toEqual([
      'topic accounts is declared twice, with two declarations of account.opened; declare it once and import it',
      'projection both version 1 reads two different declarations of event account.opened; declare it once and import it',
    ]);
  });

  it('whose entities cannot be a table are told beside all else', () => {
    const bad = projection({ name: 'bad', version: 1, from: [accounts], table: BadRow }).on(Opened, () => null);
    const [table, typo] = problemsOf({ projections: [bad], options: {}, projektions: [] }).toReversed();
    expect(table).toMatch(/bad v1 cannot use the entity BadRow[^]*synchronize: false[^]*paid is numeric/);
    expect(typo).toBe('projektions is unknown; did you mean projections?');
  });

  it('that are no definitions are told with what to list instead', () => {
    const problems = problemsOf({
      aggregates: [Account, undefined, accountsV1, class Plain {}],
      projections: [Accounts, 'fines'],
    });
    expect(problems[0]).toMatch(/^aggregates\[0\]: .*without \.evolve/);
    expect(problems[1]).toMatch(/^aggregates\[1\]: .*undefined.*circular/);
    expect(problems[2]).toMatch(/^aggregates\[2\]: .*of kind projection/);
    expect(problems[3]).toMatch(/^aggregates\[3\]: .*Plain has 0 Decider decorators/);
    expect(problems[4]).toMatch(/^projections\[1\]: .*fines/);
    expect(problems[5]).toBe('projection accounts version 1 has no handlers; add .on(…), and list what it returns');
  });
});
