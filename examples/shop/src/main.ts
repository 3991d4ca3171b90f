import { NestFactory } from '@nestjs/core';
import { ProjectionOperations } from 'nest-kappa';
import { AppModule } from './app.module.js';
import { ShopLogger } from './shop-logger.js';
import { Shoppers } from './simulation/shoppers.js';
import { TerminalView } from './terminal-view.js';

/**
 * The shop. By itself it does everything; `KAPPA_RUN` splits it into processes, any number of each:
 * `KAPPA_RUN=commands,rest npm start` and `KAPPA_RUN=projections,policies npm start`.
 */
async function main(): Promise<void> {
  const { KAPPA_RUN, PORT = '3000', SHOP_SIMULATION = 'on', SHOP_RATE = '10', SHOP_SEED = '1' } = process.env;
  const roles = KAPPA_RUN ? KAPPA_RUN.split(',').map((role) => role.trim()) : ['commands', 'projections', 'policies', 'rest'];
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
    output: process.stdout,
    everyMs: process.stdout.isTTY ? 1_000 : 10_000,
  });
  logger.beforeLine = () => view.clear();
  view.start();

  let stopping: Promise<void> | null = null;
  const stop = (): void => {
    stopping ??= (async () => {
      await view.stop();
      await shoppers?.stop();
      await app.close();
      console.log('shop: stopped');
    })().catch(fail);
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
}

function fail(error: unknown): void {
  const inUse = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
  const message = error instanceof Error ? error.message : String(error);
  console.error(
    inUse ? `SHOP_PORT_IN_USE: ${message}. Stop what listens there, or choose another: PORT=3001 npm start` : message,
  );
  process.exitCode = 1;
}

main().catch((error: unknown) => {
  fail(error);
  // What was started before the failure must not keep a failed process alive.
  process.exit();
});
