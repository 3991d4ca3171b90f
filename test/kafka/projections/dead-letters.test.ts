import { topicName } from '../../../src/kernel/names.js';
import { uniqueName } from '../../../src/testing/log-conformance/log-under-test.js';
import { Outbox } from '../../log/kafka/relaying-log.js';
import { deadLettersOn } from '../../projections/engines/dead-letters-on.js';
import { describeOnKafka } from '../../support/kafka.js';
import { kafkaLog, relayedLog } from '../support/kafka-log.js';

await describeOnKafka('dead letters of projections', 1, (brokers) => {
  const accounts = () => topicName(uniqueName('accounts'));

  deadLettersOn('Kafka', () => ({ open: () => kafkaLog(brokers), accounts: accounts() }));
  deadLettersOn('Kafka, of a relayed topic', () => {
    const outbox = new Outbox();
    return { open: () => relayedLog(brokers, outbox), accounts: accounts() };
  });
});
