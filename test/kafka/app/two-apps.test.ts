import type { GroupDescription } from '../../../src/log/log-groups.js';
import { uniqueName } from '../../../src/testing/log-conformance/log-under-test.js';
import { twoAppsOn } from '../../kappa/two-apps-on.js';
import { describeOnKafka } from '../../support/kafka.js';
import { kafkaLog } from '../support/kafka-log.js';

await describeOnKafka('two applications that are closed', 1, (brokers) => {
  const prefixes = [`${uniqueName('one')}-`, `${uniqueName('two')}-`];

  /** Of topics of theirs: those are in no group that another test knows. */
  const isTheirs = ({ topics }: GroupDescription): boolean =>
    topics.some((topic) => prefixes.some((prefix) => topic.startsWith(prefix)));

  async function left(): Promise<readonly string[]> {
    const log = kafkaLog(brokers);
    await log.start();
    const theirs = (await log.groups.list()).filter(isTheirs);
    await log.stop();
    return theirs.flatMap(({ group, members }) => members.map(({ client }) => `${group}: ${client ?? 'a member'}`));
  }

  twoAppsOn('kafka', { env: { TEST_BROKERS: brokers.join(','), TEST_PREFIXES: prefixes.join(' ') }, left });
});
