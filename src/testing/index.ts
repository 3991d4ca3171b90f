/** What applications and drivers test with: an application on a database of its own, and the log's conformance suite. */
export { startKappaTest } from './start-kappa-test.js';
export type { KappaTest, KappaTestOptions } from './start-kappa-test.js';
export { createTestDatabase, testServer } from './test-server.js';
export type { TestDatabase, TestServer } from './test-server.js';
export { logConformance } from './log-conformance.js';
export type { LogUnderTest, TestApi } from './log-conformance.js';
