import type { Bench } from '../bench.js';
import { idleOnKafka } from './idle-on-kafka.js';
import { idleOnPostgres } from './idle-on-postgres.js';

/** What an application costs while nothing happens. */
export const idle: Bench = {
  logs: ['postgres', 'kafka'],
  run: (settings) => (settings.log === 'kafka' ? idleOnKafka(settings) : idleOnPostgres(settings)),
};
