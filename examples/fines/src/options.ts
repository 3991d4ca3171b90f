import { join } from 'node:path';
import type { KappaOptions } from 'nest-kappa';
import { kafka } from 'nest-kappa/kafka';

const { DATABASE_URL, KAPPA_DATA_DIR, KAFKA_BROKERS } = process.env;

/**
 * DATABASE_URL or KAPPA_DATA_DIR where given, else a folder of this example's own, wherever it is started from. Kafka carries the
 * log where KAFKA_BROKERS names brokers; its data lie apart, for with another log the tables would mean something else.
 */
export function optionsFor(example: string): KappaOptions {
  const dataDir = join(example, KAFKA_BROKERS ? '.kappa-kafka/postgres' : '.kappa');
  return {
    name: 'fines',
    database: DATABASE_URL || KAPPA_DATA_DIR ? {} : { dataDir },
    ...(KAFKA_BROKERS ? { log: kafka({ brokers: KAFKA_BROKERS }) } : {}),
  };
}
