import { policyOn } from '../../policies/support/policy-on.js';
import { describeOnKafka } from '../../support/kafka.js';
import { kafkaLog, relayedLog } from '../support/kafka-log.js';

await describeOnKafka('policies', 1, (brokers) => {
  policyOn('Kafka', () => kafkaLog(brokers));
  policyOn('Kafka, of a relayed topic', () => relayedLog(brokers));
});
