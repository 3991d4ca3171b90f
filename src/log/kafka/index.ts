/** Kafka as the log: `KappaModule.forRoot({ log: kafka({ brokers }) })`. Needs the package kafkajs, exactly 2.2.4. */
export { kafka } from './kafka-options.js';
export type { KafkaOptions } from './kafka-options.js';
export { KafkaLog } from './kafka-log.js';
export type { KafkaContext } from './kafka-log.js';
export type { SocketFactory } from './wire/kafkajs.js';
export type { LogContext, LogDriver } from '../log-driver.js';
