import type { KappaOptions } from 'nest-kappa';
import { kafka } from 'nest-kappa/kafka';
import { databaseFolder } from './folders.js';

const { DATABASE_URL, KAPPA_DATA_DIR, KAFKA_BROKERS } = process.env;

/**
 * DATABASE_URL or KAPPA_DATA_DIR where given, else a folder of the shop's own, wherever it is started from. Kafka carries the log
 * where brokers are named, else PostgreSQL.
 */
export function optionsFor(shop: string, brokers = KAFKA_BROKERS): KappaOptions {
  return {
    name: 'shop',
    database: DATABASE_URL || KAPPA_DATA_DIR ? {} : { dataDir: databaseFolder(shop, Boolean(brokers)) },
    ...(brokers ? { log: kafka({ brokers }) } : {}),
  };
}
