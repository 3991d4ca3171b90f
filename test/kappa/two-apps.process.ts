import 'reflect-metadata';
import { Module, type INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Commands, Health, KappaHealthModule, KappaModule } from '../../src/index.js';
import { aggregates, PayFine, receipts, sendReceipts } from '../policies/support/receipts.js';
import { balancesV1 } from '../policies/support/balances.js';
import { KappaHost } from '../../src/modules/kappa/kappa-host.js';

/** What the process saw; it must end by itself after that. */
export interface TwoAppsReport {
  readonly sent: readonly number[];
  readonly resources: { readonly before: readonly string[]; readonly after: readonly string[] };
  readonly unhandled: readonly string[];
}

const unhandled: string[] = [];
process.on('unhandledRejection', (reason) => unhandled.push(String(reason)));
process.on('warning', (warning) => unhandled.push(String(warning)));

async function boot(name: string, url: string): Promise<INestApplicationContext> {
  @Module({
    imports: [
      KappaModule.forRoot({ name, database: { url } }),
      KappaModule.forFeature({ aggregates, projections: [balancesV1], policies: [sendReceipts] }),
      KappaHealthModule.forRoot(),
    ],
  })
  class AppModule {}
  return NestFactory.createApplicationContext(AppModule, { logger: false, abortOnError: false });
}

/** Pays some fines, and waits until each has its receipt and the table its rows. */
async function work(app: INestApplicationContext, prefix: string, count: number): Promise<number> {
  const commands = app.get(Commands, { strict: false });
  const { runtime } = app.get(KappaHost, { strict: false });
  for (let n = 0; n < count; n += 1) {
    const { position } = await commands.execute(new PayFine(`${prefix}${n}`, n));
    await runtime.reader(balancesV1).waitFor(position);
  }
  await app.get(Health, { strict: false }).ready();
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
const urls = (process.env['TEST_DATABASES'] ?? '').split(' ');
const apps = await Promise.all(urls.map((url, index) => boot(`app-${index}`, url)));
const sent = await Promise.all(apps.map((app, index) => work(app, `app-${index}-`, 5 + index)));
await Promise.all(apps.map((app) => app.close()));
// Sockets are told closed in the turn after.
await new Promise((resolve) => setImmediate(resolve));
const report: TwoAppsReport = { sent, resources: { before, after: resources() }, unhandled };
process.send?.(report);
process.once('message', () => process.disconnect());
