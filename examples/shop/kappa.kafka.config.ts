import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineKappaConfig } from 'nest-kappa';
import { definitions } from './src/definitions.js';
import { brokersFile, shopFolder } from './src/folders.js';
import { optionsFor } from './src/options.js';

const SHOP = shopFolder(fileURLToPath(new URL('.', import.meta.url)));

/** The shop that `npm run start:kafka` runs: `npm run -s kappa -- --config examples/shop/kappa.kafka.config.ts status`. */
export default defineKappaConfig({
  options: optionsFor(SHOP, process.env['KAFKA_BROKERS'] || startedBrokers()),
  ...definitions,
});

function startedBrokers(): string {
  const file = brokersFile(SHOP);
  if (existsSync(file)) return readFileSync(file, 'utf8');
  throw new Error(
    'SHOP_NOT_ON_KAFKA: the shop has not run on Kafka here. Start it with npm run start:kafka, or set KAFKA_BROKERS.',
  );
}
