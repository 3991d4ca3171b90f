/** What applications and drivers test with: an application on a database of its own, and the log's conformance suite. */
export { given, Given, When } from './given.js';
export type { PreparedWith, WhenOptions } from './given.js';
export { startKappaTest } from './start-kappa-test.js';
export type { KappaTest, KappaTestOptions } from './start-kappa-test.js';
export { createTestDatabase, testServer } from './test-server.js';
export type { TestDatabase, TestServer } from './test-server.js';
export { logConformance } from './log-conformance.js';
export type { LogUnderTest, TestApi } from './log-conformance.js';
export { fold, Folded, recorded } from './fold-events.js';
export type { PlainEvent, RecordedEvent, RecordedOptions } from './fold-events.js';
export { interleavings } from './interleavings.js';
export type { InterleavingOptions } from './interleavings.js';
