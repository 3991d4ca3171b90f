import { NestFactory } from '@nestjs/core';
import { ProjectionOperations } from 'nest-kappa';
import { AppModule } from './app.module.js';
import { ShopLogger } from './shop-logger.js';
import { Shoppers } from './simulation/shoppers.js';
import { TerminalView } from './terminal-view.js';

/**
 * Runs the shop until Ctrl-C, and resolves when it has stopped. By itself it does everything; `KAPPA_RUN` splits it into
 * processes, any number of each: `KAPPA_RUN=commands,rest npm start` and `KAPPA_RUN=projections,policies npm start`. On
 * Kafka some process must also relay: `KAPPA_RUN=relay,projections,policies`.
 */
export async function runShop(): Promise<void> {
  const { KAPPA_RUN, PORT = '3000', SHOP_SIMULATION = 'on', SHOP_RATE = '10', SHOP_SEED = '1', KAFKA_BROKERS } = process.env;
  const roles = KAPPA_RUN
    ? KAPPA_RUN.split(',').map((role) => role.trim())
    : ['commands', 'relay', 'projections', 'policies', 'rest'];
  const logger = new ShopLogger();
  const app = await NestFactory.create(AppModule, { logger, abortOnError: false });
  let url: string | null = null;
  if (roles.includes('rest')) {
    await app.listen(Number(PORT));
    url = `http://localhost:${PORT}`;
  } else {
    await app.init();
  }
  console.log(url ? `shop: listening on ${url}` : `shop: running ${roles.join(', ')}`);
  const shoppers = roles.includes('commands') && SHOP_SIMULATION !== 'off' ? app.get(Shoppers) : null;
  shoppers?.start({ seed: Number(SHOP_SEED), rate: Number(SHOP_RATE) });
  const view = new TerminalView(app.get(ProjectionOperations, { strict: false }), {
    url,
    command: `npm run -s kappa --${KAFKA_BROKERS ? ' --config examples/shop/kappa.kafka.config.ts' : ''}`,
    output: process.stdout,
    everyMs: process.stdout.isTTY ? 1_000 : 10_000,
  });
  logger.beforeLine = () => view.clear();
  view.start();

  await interrupted();
  await view.stop();
  await shoppers?.stop();
  await app.close();
  console.log('shop: stopped');
}

/** Ctrl-C pressed again changes nothing: what is under way is finished. */
function interrupted(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => resolve());
  });
}
