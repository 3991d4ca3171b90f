import { setMaxListeners } from 'node:events';
import type { Logger } from '../../../kernel/logger.js';
import { KappaError, RetriableError } from '../../../kernel/errors.js';
import type { TopicName } from '../../../kernel/names.js';
import { Backoff } from '../../../database/backoff.js';
import { unknownTopic } from '../../record-groups.js';
import { logStopped } from '../../wake.js';
import { findCoordinator, type CoordinatorKind } from './api/coordinators.js';
import { metadata, type ClusterMetadata, type TopicMetadata } from './api/metadata.js';
import type { Api, BrokerAddress, ConnectionSettings } from './connection.js';
import { Connections, type Node } from './connections.js';
import { assertNoError, BrokerAwayError, ERROR, isError, KafkaError, passes } from './kafka-error.js';
import { Patience } from './patience.js';

export interface ClusterOptions extends ConnectionSettings {
  readonly brokers: readonly BrokerAddress[];
  /** For how long what passes by itself is tried again. */
  readonly retryMs: number;
  readonly words: Logger;
}

/** A topic as the cluster has it now. */
export interface ClusterTopic {
  readonly name: TopicName;
  readonly id: string;
  readonly partitions: number;
}

/** The role of short requests. */
const MAIN = 'main';

/** The brokers, who leads which partition, who coordinates what; and trying again where that has changed. */
export class Cluster {
  readonly #connections: Connections;
  readonly #nodes = new Map<number, Node>();
  readonly #topics = new Map<string, TopicMetadata>();
  readonly #coordinators = new Map<string, number>();
  readonly #stopping = new AbortController();
  readonly #patience = new Patience();

  constructor(readonly options: ClusterOptions) {
    this.#connections = new Connections(options);
    // Each request that is to be tried again waits on it.
    setMaxListeners(0, this.#stopping.signal);
  }

  /** A stop is near: as soon as anything has waited for the brokers for so long, from now on, all is given up. */
  hurry(graceMs: number): void {
    if (!this.#stopping.signal.aborted) this.#patience.limit(graceMs, () => void this.stop());
  }

  /** What is done counts as waiting for the brokers; for what is not tried again, as that does by itself. */
  waiting<T>(work: () => Promise<T>): Promise<T> {
    return this.#patience.count(work);
  }

  async stop(): Promise<void> {
    this.#patience.end();
    this.#stopping.abort();
    await this.#connections.stop();
  }

  get stopped(): AbortSignal {
    return this.#stopping.signal;
  }

  /** The brokers that were up when the cluster was last asked. */
  get nodeIds(): readonly number[] {
    return [...this.#nodes.keys()];
  }

  /** Asks whoever answers first, in random order. `topics` null: all; empty: none. @throws BrokerAwayError */
  metadata(topics: readonly string[] | null): Promise<ClusterMetadata> {
    return this.waiting(() => this.#metadata(topics));
  }

  async #metadata(topics: readonly string[] | null): Promise<ClusterMetadata> {
    const known = shuffled([...this.#nodes.values()]);
    const seeds = shuffled(this.options.brokers.map((address) => ({ ...address, nodeId: null })));
    let failure: BrokerAwayError | null = null;
    for (const node of [...known, ...seeds]) {
      try {
        const connection = await this.#connections.to(node, MAIN);
        return this.#keep(await connection.send(metadata, { topics }));
      } catch (error) {
        if (!(error instanceof BrokerAwayError)) throw error;
        failure = error;
      }
    }
    throw failure ?? new BrokerAwayError('any', false, { cause: new Error('no broker is known') });
  }

  /** Of one broker, which may know less than others for a moment. */
  async metadataOf(nodeId: number, topics: readonly string[]): Promise<ClusterMetadata> {
    return this.send(nodeId, MAIN, metadata, { topics });
  }

  /** As known; asked for where it is not. @throws KAPPA_UNKNOWN_TOPIC */
  async topic(name: TopicName): Promise<ClusterTopic> {
    const { id, partitions } = await this.#topic(name);
    return { name, id, partitions: partitions.length };
  }

  /** @throws KafkaError LEADER_NOT_AVAILABLE while there is none; KAPPA_UNKNOWN_TOPIC */
  async leader(topic: TopicName, partition: number): Promise<number> {
    const found = (await this.#topic(topic)).partitions[partition];
    if (!found) throw new KafkaError(ERROR.unknownTopicOrPartition, `${topic}/${partition}`);
    if (found.leader < 0 || !this.#nodes.has(found.leader)) {
      this.forget(topic);
      throw new KafkaError(ERROR.leaderNotAvailable, `${topic}/${partition}`);
    }
    return found.leader;
  }

  /** What is known of this topic is old. */
  forget(topic: TopicName): void {
    this.#topics.delete(topic);
  }

  async coordinator(kind: CoordinatorKind, key: string): Promise<number> {
    const known = this.#coordinators.get(`${kind} ${key}`);
    if (known !== undefined && this.#nodes.has(known)) return known;
    const answer = await this.sendToAny(findCoordinator, { kind, key });
    assertNoError(answer.error, `the coordinator of ${kind} ${key}`);
    this.#nodes.set(answer.nodeId, { nodeId: answer.nodeId, host: answer.host, port: answer.port });
    this.#coordinators.set(`${kind} ${key}`, answer.nodeId);
    return answer.nodeId;
  }

  forgetCoordinator(kind: CoordinatorKind, key: string): void {
    this.#coordinators.delete(`${kind} ${key}`);
  }

  /** @throws BrokerAwayError; what is known of the broker is looked up anew then. */
  async send<Request, Answer>(
    nodeId: number,
    role: string,
    api: Api<Request, Answer>,
    request: Request,
    timeoutMs?: number,
  ): Promise<Answer> {
    const node = this.#nodes.get(nodeId);
    if (!node) {
      this.#forgetNode(nodeId);
      throw new BrokerAwayError(`number ${nodeId}`, false, { cause: new Error('is not in the cluster') });
    }
    try {
      const connection = await this.#connections.to(node, role);
      return await connection.send(api, request, timeoutMs);
    } catch (error) {
      if (error instanceof BrokerAwayError) {
        if (this.#stopping.signal.aborted) throw logStopped();
        this.#forgetNode(nodeId);
      }
      throw error;
    }
  }

  async sendToAny<Request, Answer>(api: Api<Request, Answer>, request: Request): Promise<Answer> {
    let failure: BrokerAwayError | null = null;
    for (const nodeId of shuffled([...this.#nodes.keys()])) {
      try {
        return await this.send(nodeId, MAIN, api, request);
      } catch (error) {
        if (!(error instanceof BrokerAwayError)) throw error;
        failure = error;
      }
    }
    await this.metadata([]);
    throw failure ?? new BrokerAwayError('any', false, { cause: new Error('no broker is known') });
  }

  /** To the coordinator of a group or of a transactional id; another one is looked for when this one says that it is none. */
  async sendToCoordinator<Request, Answer extends { readonly error: number } | readonly { readonly error: number }[]>(
    kind: CoordinatorKind,
    key: string,
    role: string,
    api: Api<Request, Answer>,
    request: Request,
    timeoutMs?: number,
  ): Promise<Answer> {
    try {
      const answer = await this.send(await this.coordinator(kind, key), role, api, request, timeoutMs);
      const code = errorOf(answer);
      if (code === ERROR.notCoordinator || code === ERROR.coordinatorNotAvailable) this.forgetCoordinator(kind, key);
      return answer;
    } catch (error) {
      if (error instanceof BrokerAwayError) this.forgetCoordinator(kind, key);
      throw error;
    }
  }

  /** Closes the connections of a role; what is under way on them fails. */
  release(role: string): void {
    this.#connections.release(role);
  }

  /**
   * Tries again what passes by itself.
   * @throws RetriableError when it has not passed within the bound; KAPPA_LOG_STOPPED; else what `attempt` throws.
   */
  retry<T>(what: string, attempt: () => Promise<T>): Promise<T> {
    return this.waiting(() => this.#retry(what, attempt));
  }

  async #retry<T>(what: string, attempt: () => Promise<T>): Promise<T> {
    const until = performance.now() + this.options.retryMs;
    const backoff = new Backoff({ firstMs: 20, mostMs: 500 });
    const settling = new Backoff({ firstMs: 2, mostMs: 10 });
    for (;;) {
      try {
        return await attempt();
      } catch (error) {
        if (this.#stopping.signal.aborted) throw logStopped();
        if (!passes(error)) throw explained(error, what);
        if (performance.now() > until) throw new RetriableError(`${what} failed`, { cause: error });
        if (isError(error, ERROR.concurrentTransactions, ERROR.unstableOffsetCommit)) {
          // Met at nearly every begin of a transaction, until the markers of the one before are written.
          await settling.wait(this.#stopping.signal);
          continue;
        }
        this.options.words.debug?.(`kafka: ${what} is tried again: ${(error as Error).message}`);
        await this.lookAgain();
        await backoff.wait(this.#stopping.signal);
      }
    }
  }

  /** Where the brokers are, after one went away or a leader moved; nobody to ask is no news. */
  async lookAgain(): Promise<void> {
    this.#topics.clear();
    await this.metadata([]).catch(() => undefined);
  }

  async #topic(name: TopicName): Promise<TopicMetadata> {
    const known = this.#topics.get(name);
    if (known) return known;
    const found = (await this.metadata([name])).topics.find((topic) => topic.name === name);
    if (!found || found.error === ERROR.unknownTopicOrPartition || found.partitions.length === 0) throw unknownTopic(name);
    assertNoError(found.error, `topic ${name}`);
    return found;
  }

  #keep(found: ClusterMetadata): ClusterMetadata {
    this.#nodes.clear();
    for (const node of found.brokers) this.#nodes.set(node.nodeId, node);
    for (const topic of found.topics) {
      if (topic.error === 0) this.#topics.set(topic.name, topic);
      else this.#topics.delete(topic.name);
    }
    return found;
  }

  #forgetNode(nodeId: number): void {
    for (const [name, topic] of this.#topics) {
      if (topic.partitions.some(({ leader }) => leader === nodeId)) this.#topics.delete(name);
    }
    for (const [key, coordinator] of this.#coordinators) if (coordinator === nodeId) this.#coordinators.delete(key);
  }
}

function errorOf(answer: { readonly error: number } | readonly { readonly error: number }[]): number {
  if (!isList(answer)) return answer.error;
  return answer.find(({ error }) => error !== 0)?.error ?? 0;
}

function isList<T>(answer: T | readonly T[]): answer is readonly T[] {
  return Array.isArray(answer);
}

/** What a cluster refuses for good, with what can be done about it. */
function explained(error: unknown, what: string): unknown {
  if (
    isError(
      error,
      ERROR.topicAuthorizationFailed,
      ERROR.groupAuthorizationFailed,
      ERROR.clusterAuthorizationFailed,
      ERROR.transactionalIdAuthorizationFailed,
    )
  ) {
    return new KappaError('KAPPA_KAFKA_FORBIDDEN', `Kafka does not allow ${what} (${error.type})`, {
      facts: { what, error: error.type },
      nextStep: 'Give the user of this application the ACLs that docs/operations/kafka.md lists.',
      cause: error,
    });
  }
  return error;
}

function shuffled<T>(items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, place: Math.random() }))
    .sort((a, b) => a.place - b.place)
    .map(({ item }) => item);
}
