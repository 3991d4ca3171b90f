import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startKafka } from 'nest-kappa/testing';
import { failShop } from './fail-shop.js';
import { brokersFile, kafkaFolder, shopFolder } from './folders.js';

const SHOP = shopFolder(fileURLToPath(new URL('../..', import.meta.url)));

/**
 * The shop on Kafka: on the brokers that KAFKA_BROKERS names, else on one that is started here, whose data are kept beside the
 * shop's. All else is the shop as it is, loaded when it is known where the brokers are.
 */
async function main(): Promise<void> {
  const { KAFKA_BROKERS } = process.env;
  if (KAFKA_BROKERS) return runShop(KAFKA_BROKERS);
  console.log('shop: starting a Kafka broker (the first start fetches Kafka, 43 MB)');
  const kafka = await startKafka({ dataDir: kafkaFolder(SHOP) });
  try {
    const brokers = kafka.brokers.join(',');
    console.log(`shop: Kafka is at ${brokers}`);
    process.env['KAFKA_BROKERS'] = brokers;
    await runShop(brokers);
  } finally {
    await kafka.stop();
  }
}

async function runShop(brokers: string): Promise<void> {
  await mkdir(dirname(brokersFile(SHOP)), { recursive: true });
  await writeFile(brokersFile(SHOP), brokers);
  const shop = await import('./run-shop.js');
  await shop.runShop();
}

main().catch(failShop);
