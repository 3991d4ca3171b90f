/** An error that a broker answered with. */
export class KafkaError extends Error {
  readonly type: string;

  constructor(
    readonly code: number,
    readonly what: string,
    detail: string | null = null,
  ) {
    const type = NAMES[code] ?? `error ${code}`;
    super(detail ? `${what}: ${type} (${detail})` : `${what}: ${type}`);
    this.name = 'KafkaError';
    this.type = type;
  }
}

/** The broker was not reached, or went away before it answered. `sent` tells whether it may have seen the request. */
export class BrokerAwayError extends Error {
  constructor(
    readonly broker: string,
    readonly sent: boolean,
    options: { readonly cause: unknown },
  ) {
    super(`broker ${broker}: ${options.cause instanceof Error ? options.cause.message : String(options.cause)}`, options);
    this.name = 'BrokerAwayError';
  }
}

/** https://kafka.apache.org/protocol.html#protocol_error_codes, as far as they are met here. */
export const ERROR = {
  offsetOutOfRange: 1,
  corruptMessage: 2,
  unknownTopicOrPartition: 3,
  leaderNotAvailable: 5,
  notLeader: 6,
  requestTimedOut: 7,
  replicaNotAvailable: 9,
  messageTooLarge: 10,
  networkException: 13,
  coordinatorLoading: 14,
  coordinatorNotAvailable: 15,
  notCoordinator: 16,
  recordListTooLarge: 18,
  notEnoughReplicas: 19,
  notEnoughReplicasAfterAppend: 20,
  illegalGeneration: 22,
  inconsistentGroupProtocol: 23,
  unknownMember: 25,
  invalidSessionTimeout: 26,
  rebalanceInProgress: 27,
  topicAuthorizationFailed: 29,
  groupAuthorizationFailed: 30,
  clusterAuthorizationFailed: 31,
  topicAlreadyExists: 36,
  invalidPartitions: 37,
  invalidReplicationFactor: 38,
  invalidConfig: 40,
  notController: 41,
  policyViolation: 44,
  outOfOrderSequence: 45,
  duplicateSequence: 46,
  invalidProducerEpoch: 47,
  invalidTxnState: 48,
  invalidProducerIdMapping: 49,
  concurrentTransactions: 51,
  transactionalIdAuthorizationFailed: 53,
  storageError: 56,
  unknownProducerId: 59,
  nonEmptyGroup: 68,
  groupIdNotFound: 69,
  fencedLeaderEpoch: 74,
  unknownLeaderEpoch: 75,
  offsetNotAvailable: 78,
  memberIdRequired: 79,
  fencedInstanceId: 82,
  unstableOffsetCommit: 88,
  producerFenced: 90,
  unknownTopicId: 100,
  inconsistentTopicId: 103,
} as const;

const NAMES: Readonly<Record<number, string>> = Object.fromEntries(
  Object.entries(ERROR).map(([name, code]) => [code, name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()]),
);

/** Failures that pass by themselves: a leader or coordinator that moves, replicas that are away, a transaction that ends. */
const PASSING: ReadonlySet<number> = new Set([
  ERROR.corruptMessage,
  ERROR.leaderNotAvailable,
  ERROR.notLeader,
  ERROR.requestTimedOut,
  ERROR.replicaNotAvailable,
  ERROR.networkException,
  ERROR.coordinatorLoading,
  ERROR.coordinatorNotAvailable,
  ERROR.notCoordinator,
  ERROR.notEnoughReplicas,
  ERROR.notEnoughReplicasAfterAppend,
  ERROR.notController,
  ERROR.concurrentTransactions,
  ERROR.storageError,
  ERROR.fencedLeaderEpoch,
  ERROR.unknownLeaderEpoch,
  ERROR.offsetNotAvailable,
  ERROR.unstableOffsetCommit,
]);

/** True when the same request may succeed a little later, perhaps at another broker. */
export function passes(error: unknown): boolean {
  return error instanceof BrokerAwayError || (error instanceof KafkaError && PASSING.has(error.code));
}

export function isError(error: unknown, ...codes: readonly number[]): error is KafkaError {
  return error instanceof KafkaError && codes.includes(error.code);
}

/** @throws KafkaError unless the code is 0. */
export function assertNoError(code: number, what: string, detail: string | null = null): void {
  if (code !== 0) throw new KafkaError(code, what, detail);
}
