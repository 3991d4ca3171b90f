/**
 * The public API, in the order in which data flows: events and topics, aggregates and commands, projections, policies, reads, the
 * Nest module, operations, errors.
 */
export { event } from './kernel/event.js';
export type {
  AnyEvent,
  AnyRecorded,
  DataOf,
  EventStream,
  EventType,
  EventVersion,
  NewEvent,
  NewOf,
  Recorded,
} from './kernel/event.js';
export { type } from './kernel/shape.js';
export type { Shape, StandardResult, StandardShape, TypeShape } from './kernel/shape.js';
export { topic } from './kernel/topic.js';
export type { DecodeRecord, ForeignEvent, ForeignRecord } from './kernel/foreign-record.js';
export type { AnyTopic, Retention, Topic, TopicOptions } from './kernel/topic.js';

export { aggregate } from './modules/aggregates/aggregate.js';
export type {
  AggregateBuilder,
  AggregateDefinition,
  AggregateOptions,
  Decide,
  DecideBuilder,
  DecideContext,
  Evolve,
  Inject as InjectService,
  Prepare,
  SnapshotOptions,
} from './modules/aggregates/aggregate.js';
export { refuse } from './kernel/errors.js';
export { Commands } from './modules/aggregates/command.js';
export type { CommandResult, ExecuteOptions, OwnTransaction } from './modules/aggregates/command.js';

export { projection } from './modules/projections/projection.js';
export type {
  Fold,
  HandlerOptions,
  Keys,
  ProjectionBuilder,
  ProjectionDefinition,
  ProjectionHandler,
  ProjectionOptions,
  RawContext,
} from './modules/projections/projection.js';

export { policy } from './modules/policies/policy.js';
export type {
  CommandsOnly,
  CommandWithOptions,
  PolicyBuilder,
  PolicyCommandOptions,
  PolicyDefinition,
  PolicyHandler,
  PolicyOptions,
  Reaction,
  RefusalPolicy,
} from './modules/policies/policy.js';

export { InjectReader } from './modules/serving/inject-reader.js';
export { Reader } from './modules/serving/reader.js';
export type { ListOptions, Page, ReadKey, ReadOptions, ReadStamp } from './modules/serving/reader.js';
export type { ReadableProjection } from './modules/serving/projection-reader.js';
export { KappaRestModule } from './modules/serving/rest/kappa-rest.module.js';
export type { KappaRestOptions } from './modules/serving/rest/kappa-rest.module.js';
export type { RestPage, RestRow, RestStamp } from './modules/serving/rest/projection.controller.js';
export { KappaExceptionFilter } from './modules/serving/rest/kappa-exception.filter.js';
export { httpError } from './modules/serving/rest/http-error.js';
export type { HttpError, HttpErrorBody } from './modules/serving/rest/http-error.js';

export { KappaModule } from './modules/kappa.module.js';
export type { KappaAsyncOptions } from './modules/kappa.module.js';
export { defineKappaConfig } from './modules/kappa/kappa-options.js';
export type {
  KappaCommandOptions,
  KappaConfig,
  KappaDatabaseOptions,
  KappaDefinitions,
  KappaLogOptions,
  KappaOptions,
  KappaPolicyOptions,
  KappaProjectionOptions,
  KappaRunOptions,
} from './modules/kappa/kappa-options.js';

export { ProjectionOperations } from './modules/projections/operations.js';
export type {
  BegunRebuild,
  BuildStatus,
  PlanEntry,
  ProjectionStatus,
  RebuildOptions,
  RebuildPhase,
  RebuildProgress,
  SwapResult,
  VerifyResult,
} from './modules/projections/operations.js';
export { RelayOperations } from './modules/aggregates/relay/relay-operations.js';
export type { RelayLag } from './modules/aggregates/relay/relay-status.js';
export type { RelayDifference, RelayVerification } from './modules/aggregates/relay/relay-verify.js';
export type { LogContext, LogDriver } from './log/log-driver.js';
export type { Build, BuildError, BuildShape, BuildState, PartitionProgress } from './modules/projections/build.js';
export type { ProjectingProcess } from './modules/projections/processes.js';

export { PolicyOperations } from './modules/policies/operations.js';
export type { AcceptOptions, PolicyStatus } from './modules/policies/operations.js';
export type { AcceptedMove } from './modules/policies/accept-log.js';
export type { PolicyError, PolicyPartition } from './modules/policies/policy-progress.js';
export type { PartitionCheckpoint } from './database/partition-progress.js';
export { Health } from './modules/operations/health/health.js';
export type { LiveReport, ReadyReport } from './modules/operations/health/health.js';
export { KappaHealthModule } from './modules/operations/health/kappa-health.module.js';
export type { KappaHealthOptions } from './modules/operations/health/kappa-health.module.js';
export { DeadLetters } from './modules/operations/dead-letters/dead-letters.js';
export type {
  DeadLetterDetails,
  DeadLetterInfo,
  DeadLetterPage,
  LetterOutcome,
  ListDeadLetters,
  SettleOptions,
  WhichLetters,
} from './modules/operations/dead-letters/dead-letters.js';
export { KappaDeadLettersModule } from './modules/operations/dead-letters/kappa-dead-letters.module.js';
export type { KappaDeadLettersOptions } from './modules/operations/dead-letters/kappa-dead-letters.module.js';
export type {
  DeadLetter,
  LetterCounts,
  LetterPlace,
  LetterReason,
  LetterRequest,
  LetterState,
} from './database/dead-letters/dead-letter.js';
export type { ListedLetter } from './database/dead-letters/dead-letter-store.js';
export type { DeadLetterOptions } from './database/dead-letters/letter-policy.js';

export { Database } from './database/database.js';
export type { Connection, DatabaseOptions, Queryable, Statement } from './database/database.js';

export {
  FencedError,
  KappaError,
  LogTruncatedError,
  Refusal,
  RetriableError,
  UnknownOutcomeError,
  WrongExpectedVersionError,
} from './kernel/errors.js';
export type { ErrorFacts, KappaErrorOptions } from './kernel/errors.js';
export { covers, formatPosition, latest, parsePosition } from './kernel/position.js';
export type { PartitionKey, Position } from './kernel/position.js';
export type { Class, Data } from './kernel/types.js';
