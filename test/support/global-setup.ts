import { testServer } from '../../src/testing/test-server.js';
import { DESK_URL, KafkaDesk } from './kafka-desk.js';

/** One server for the whole run, and brokers when somebody asks: workers and the processes they start find both in the environment. */
export default async function setup(): Promise<() => Promise<void>> {
  const server = await testServer();
  process.env['KAPPA_TEST_DATABASE_URL'] = server.url;
  const desk = new KafkaDesk();
  process.env[DESK_URL] = await desk.open();
  return async () => {
    await Promise.all([server.stop(), desk.close()]);
  };
}
