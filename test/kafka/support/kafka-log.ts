import { silentLogger } from '../../../src/kernel/logger.js';
import type { EventLog } from '../../../src/log/event-log.js';
import { KafkaLog } from '../../../src/log/kafka/kafka-log.js';
import { resolveKafkaOptions } from '../../../src/log/kafka/kafka-options.js';
import { QUICK } from '../../log/kafka/kafka-clients.js';
import { Outbox, RelayingLog } from '../../log/kafka/relaying-log.js';

/** A client that is not started, of topics that everybody writes to. */
export function kafkaLog(brokers: readonly string[]): EventLog {
  return clientOf(brokers, false);
}

/** The same of topics that are relayed from one outbox: offsets are those of the log, which are not Kafka's, and have holes. */
export function relayedLog(brokers: readonly string[], outbox = new Outbox()): EventLog {
  return new RelayingLog(clientOf(brokers, true), outbox);
}

function clientOf(brokers: readonly string[], isRelayed: boolean): KafkaLog {
  const options = resolveKafkaOptions({ brokers, ...QUICK });
  return new KafkaLog(options, { clientId: 'tests', logger: silentLogger, relayed: async () => isRelayed });
}
