import path from 'node:path';
import { startPostgres } from 'nest-kappa/testing';
import { readStreams } from './read-streams.js';
import type { Servers } from './servers.js';

/** One PostgreSQL, which carries the log too: the rows of the streams are the topics' records. */
export async function postgresServers(folder: string): Promise<Servers> {
  const postgres = await startPostgres({ folder: path.join(folder, 'postgres') });
  return {
    driver: 'postgres',
    databaseUrl: postgres.url,
    kafka: null,
    killDatabase: () => postgres.kill(),
    restartDatabase: () => postgres.restart(),
    readTopics: () => readStreams(postgres.url),
    stop: () => postgres.stop(),
  };
}
