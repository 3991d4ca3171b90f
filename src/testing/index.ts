/** What applications and drivers test with: an application on a database of its own, and the log's conformance suite. */
export { given, Given, When } from './given.js';
export type { PreparedWith, WhenOptions } from './given.js';
export { startKappaTest } from './start-kappa-test.js';
export type { KappaTest, KappaTestOptions } from './start-kappa-test.js';
export { createTestDatabase, testServer } from './test-server.js';
export type { TestDatabase, TestServer } from './test-server.js';
export { startPostgres } from './start-postgres.js';
export type { BreakablePostgres, StartPostgresOptions } from './start-postgres.js';
export { TcpProxy } from './tcp-proxy.js';
export type { LostAnswer } from './tcp-proxy.js';
export type { LostKafkaAnswer } from './kafka-answers.js';
export { startKafka } from './kafka/start-kafka.js';
export { kafkaAvailability } from './kafka/kafka-availability.js';
export type { KafkaAvailability } from './kafka/kafka-availability.js';
export type { KafkaSource, StartedKafka, StartKafkaOptions } from './kafka/started-kafka.js';
export { logConformance } from './log-conformance.js';
export type { LogUnderTest, TestApi } from './log-conformance.js';
export { fold, Folded } from './fold-events.js';
export { recorded } from './recorded-events.js';
export type { PlainEvent, RecordedEvent, RecordedOptions } from './recorded-events.js';
export { react, Reacted } from './react.js';
export type { ReactOptions } from './react.js';
export type { GivenServices } from './given-services.js';
export type { PolicyCommand } from '../modules/policies/policy-plan.js';
export { interleavings } from './interleavings.js';
export type { InterleavingOptions } from './interleavings.js';

/** The log's contract, for those who write a driver, and the log in memory, which is one. */
export type {
  AppendSignal,
  CommitOutcome,
  EventLog,
  GroupMember,
  JoinOptions,
  LogBatch,
  LogIdentity,
  LogLimits,
  LogSession,
  LogTransaction,
  PartitionOffsets,
  PollOptions,
  ReadOptions,
  RecordSource,
  TopicDescription,
  TopicDifference,
  TopicSpec,
} from '../log/event-log.js';
export type { GroupDescription, LogGroups, MemberDescription } from '../log/log-groups.js';
export { DEFAULT_MAX_RECORD_BYTES } from '../log/event-log.js';
export { MemoryCluster } from '../log/memory/memory-cluster.js';
export { MemoryLog } from '../log/memory/memory-log.js';
export type { MemoryLogOptions } from '../log/memory/memory-log.js';
export { jsonCodec } from '../kernel/codec.js';
export type { Codec, CodecContext, EncodedPayload } from '../kernel/codec.js';
export { offset, topicName } from '../kernel/names.js';
export type { Offset, TopicName } from '../kernel/names.js';
export type { LogRecord, NewRecord, RecordHeaders } from '../kernel/record.js';
