import { join } from 'node:path';

/** Where the shop keeps its data: SHOP_FOLDER, else its own folder, wherever it is started from. */
export function shopFolder(own: string): string {
  return process.env['SHOP_FOLDER'] ?? own;
}

/** Where the embedded PostgreSQL keeps the shop's data. On Kafka they lie apart: with another log its tables would mean something else. */
export function databaseFolder(shop: string, onKafka: boolean): string {
  return onKafka ? join(shop, '.kappa-kafka', 'postgres') : join(shop, '.kappa');
}

/** Where the broker that `npm run start:kafka` starts keeps its data. */
export function kafkaFolder(shop: string): string {
  return join(shop, '.kappa-kafka', 'kafka');
}

/** Tells the command where the brokers of the shop are: the port of one that was started may change from start to start. */
export function brokersFile(shop: string): string {
  return join(shop, '.kappa-kafka', 'brokers');
}
