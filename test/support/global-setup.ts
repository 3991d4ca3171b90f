import { testServer } from '../../src/testing/test-server.js';

/** One server for the whole run: workers and the processes they start find it in the environment. */
export default async function setup(): Promise<() => Promise<void>> {
  const server = await testServer();
  process.env['KAPPA_TEST_DATABASE_URL'] = server.url;
  return () => server.stop();
}
