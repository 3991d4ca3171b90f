import 'reflect-metadata';
import { Module, type INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Commands, Health, KappaHealthModule, KappaModule } from '../../src/index.js';
import { KappaHost } from '../../src/modules/kappa/kappa-host.js';
import { kafka } from '../../src/log/kafka/index.js';
import { balancesOf } from '../policies/support/balances.js';
import { PayFine, payingApplication } from '../policies/support/receipts.js';

/** What the process saw; it must end by itself after that. */
export interface TwoAppsReport {
  /** What carried the log of each, and how many receipts it held. */
  readonly drivers: readonly string[];
  readonly sent: readonly number[];
  readonly resources: { readonly before: readonly string[]; readonly after: readonly string[] };
  readonly unhandled: readonly string[];
}

const unhandled: string[] = [];
process.on('unhandledRejection', (reason) => unhandled.push(String(reason)));
process.on('warning', (warning) => unhandled.push(String(warning)));

/** Databases of the two, prefixes of their topics where they share a cluster, and its brokers; none where PostgreSQL carries the log. */
const { TEST_DATABASES: databases = '', TEST_PREFIXES: prefixes = ' ', TEST_BROKERS: brokers = '' } = process.env;

interface App {
  readonly context: INestApplicationContext;
  readonly definitions: ReturnType<typeof definitionsOf>;
}

function definitionsOf(prefix: string) {
  const application = payingApplication(prefix);
  return { ...application, balancesV1: balancesOf(application) };
}

async function boot(name: string, url: string, prefix: string): Promise<App> {
  const definitions = definitionsOf(prefix);
  const { aggregates, balancesV1, sendReceipts } = definitions;
  @Module({
    imports: [
      KappaModule.forRoot({ name, database: { url }, ...(brokers === '' ? {} : { log: kafka({ brokers }) }) }),
      KappaModule.forFeature({ aggregates, projections: [balancesV1], policies: [sendReceipts] }),
      KappaHealthModule.forRoot(),
    ],
  })
  class AppModule {}
  const context = await NestFactory.createApplicationContext(AppModule, { logger: false, abortOnError: false });
  return { context, definitions };
}

/** Pays some fines, and waits until each has its receipt in the log and the table its rows. */
async function work({ context, definitions: { balancesV1, receipts } }: App, prefix: string, count: number): Promise<number> {
  const commands = context.get(Commands, { strict: false });
  const { runtime } = context.get(KappaHost, { strict: false });
  for (let n = 0; n < count; n += 1) {
    const { position } = await commands.execute(new PayFine(`${prefix}${n}`, n));
    await runtime.reader(balancesV1).waitFor(position);
  }
  await context.get(Health, { strict: false }).ready();
  for (;;) {
    const offsets = await runtime.log.offsets(receipts.name);
    const sent = offsets.reduce((sum, { end }) => sum + end, 0);
    if (sent >= count) return sent;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Without what is closing already, as files that were imported. */
const resources = (): readonly string[] =>
  process
    .getActiveResourcesInfo()
    .filter((name) => name !== 'CloseReq')
    .sort();

const before = resources();
const urls = databases.split(' ');
const apps = await Promise.all(urls.map((url, index) => boot(`app-${index}`, url, prefixes.split(' ')[index] ?? '')));
const drivers = apps.map(({ context }) => context.get(KappaHost, { strict: false }).runtime.log.driver);
const sent = await Promise.all(apps.map((app, index) => work(app, `app-${index}-`, 5 + index)));
await Promise.all(apps.map(({ context }) => context.close()));
// Sockets are told closed in the turn after.
await new Promise((resolve) => setImmediate(resolve));
const report: TwoAppsReport = { drivers, sent, resources: { before, after: resources() }, unhandled };
process.send?.(report);
process.once('message', () => process.disconnect());
