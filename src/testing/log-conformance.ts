import { appendTests } from './log-conformance/append-tests.js';
import { groupTests } from './log-conformance/group-tests.js';
import { groupViewTests } from './log-conformance/group-view-tests.js';
import type { LogUnderTest, TestApi } from './log-conformance/log-under-test.js';
import { readTests } from './log-conformance/read-tests.js';
import { retentionTests } from './log-conformance/retention-tests.js';
import { sessionTests } from './log-conformance/session-tests.js';
import { topicTests } from './log-conformance/topic-tests.js';
import { writerTests } from './log-conformance/writer-tests.js';

export type { LogUnderTest, TestApi } from './log-conformance/log-under-test.js';

/**
 * What every driver of the log must show. A driver exists when it passes.
 *
 * Works under any runner: `logConformance('mine', () => openMine(), { describe, it })`. Give the runner a time per test that the
 * driver's rebalances need (30 s will do for one on a local server); nothing here waits for longer than it must.
 *
 * Each test asks `factory` for a log. It may be the same server every time: topics, groups and tasks bear names of their own.
 */
export function logConformance(name: string, factory: () => Promise<LogUnderTest>, api: TestApi): void {
  api.describe(`the log contract on ${name}`, () => {
    topicTests(factory, api);
    appendTests(factory, api);
    readTests(factory, api);
    groupTests(factory, api);
    groupViewTests(factory, api);
    sessionTests(factory, api);
    writerTests(factory, api);
    retentionTests(factory, api);
  });
}
