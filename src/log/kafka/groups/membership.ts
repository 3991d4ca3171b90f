import { setTimeout as sleep } from 'node:timers/promises';
import { KappaError } from '../../../kernel/errors.js';
import type { TopicName } from '../../../kernel/names.js';
import { Backoff } from '../../../database/backoff.js';
import { heartbeat, joinGroup, leaveGroup, syncGroup, type JoinAnswer } from '../wire/api/groups.js';
import type { Cluster } from '../wire/cluster.js';
import { ERROR, isError, KafkaError, passes } from '../wire/kafka-error.js';
import { assignNumbers } from './assign-numbers.js';
import { decodeNumbers, decodeSubscription, encodeAssignment, encodeSubscription, PROTOCOL } from './group-protocol.js';

export interface MembershipOptions {
  readonly group: string;
  readonly topics: readonly TopicName[];
  readonly sessionTimeoutMs: number;
  readonly heartbeatMs: number;
  /** False while the member has not polled for too long: it leaves then, and comes back when it polls. */
  isPolling(): boolean;
  /** Called when `assigned`, `isLost` or `failure` has changed. */
  changed(): void;
}

const ANSWER_MS = 10_000;

/**
 * A member's place in its group, kept in the background: joining, rejoining when the group changes, heartbeats. What was assigned
 * is taken up, and what was taken away is let go, by the member itself when it polls; until then the group counts it as held.
 */
export class Membership {
  readonly #role: string;
  readonly #held = new Set<number>();
  #assigned: readonly number[] = [];
  #member = '';
  #generation = -1;
  #lost = false;
  #failure: Error | null = null;
  #rejoin = true;
  #confirmedAt = performance.now();
  #joiningSince: number | null = null;
  #wake = new AbortController();
  #running: Promise<void> | null = null;
  #left = false;

  constructor(
    private readonly cluster: Cluster,
    private readonly options: MembershipOptions,
    id: string,
  ) {
    this.#role = `group ${id}`;
  }

  /** What the group gives this member; what it holds beyond that it is to let go. */
  get assigned(): readonly number[] {
    return this.#assigned;
  }

  /** Everything it held may have another owner already. */
  get isLost(): boolean {
    return this.#lost;
  }

  /** What the member can do nothing about. */
  get failure(): Error | null {
    return this.#failure;
  }

  /** False when the group may have given it up since it was last heard of. */
  get isFresh(): boolean {
    const now = performance.now();
    const { sessionTimeoutMs } = this.options;
    if (this.#joiningSince !== null) return now - this.#joiningSince < 2 * sessionTimeoutMs + ANSWER_MS;
    return now - this.#confirmedAt < sessionTimeoutMs;
  }

  /** Goes on in the background until `leave`; may be called again after a silence or a failure ended it. */
  start(): void {
    if (this.#running || this.#left) return;
    this.#failure = null;
    this.#running = this.#run().finally(() => (this.#running = null));
  }

  took(numbers: readonly number[]): void {
    for (const number of numbers) this.#held.add(number);
  }

  /** Others wait for what was let go: the group is told at once. */
  released(numbers: readonly number[]): void {
    for (const number of numbers) this.#held.delete(number);
    this.#rejoinNow();
  }

  /** All that was held is given up, since it was lost. */
  acceptLoss(): void {
    this.#held.clear();
    this.#lost = false;
  }

  /** Asks the group now whether it still counts this member. @throws what the coordinator cannot be asked for */
  async confirm(): Promise<void> {
    if (this.#member === '' || this.#joiningSince !== null) return;
    try {
      await this.cluster.waiting(() => this.#heartbeat());
    } catch (error) {
      if (passes(error) || !this.#takesUp(error)) throw error;
    }
  }

  async leave(): Promise<void> {
    if (this.#left) return;
    this.#left = true;
    this.#wake.abort();
    this.#cutOff();
    await this.#running;
    await this.#sayGoodbye();
    this.#cutOff();
  }

  async #run(): Promise<void> {
    const backoff = new Backoff({ firstMs: 20, mostMs: 1_000 });
    while (!this.#left) {
      this.#wake = new AbortController();
      try {
        if (this.#rejoin) await this.#join();
        else if (this.options.isPolling()) await this.#heartbeat();
        else {
          await this.#fallSilent();
          return;
        }
        backoff.reset();
        if (!this.#rejoin && !this.#left) await sleep(this.options.heartbeatMs, undefined, { signal: this.#wake.signal });
      } catch (error) {
        if (this.#left || this.cluster.stopped.aborted) return;
        if (error instanceof Error && error.name === 'AbortError') continue;
        if (!this.#takesUp(error)) {
          this.#fail(error);
          return;
        }
        this.cluster.options.words.debug?.(`kafka: group ${this.options.group}: ${(error as Error).message}`);
        await backoff.wait(this.#wake.signal);
      }
    }
  }

  /** One round of the group: all tell what they hold, its leader divides, all are told. */
  async #join(): Promise<void> {
    const { group, topics, sessionTimeoutMs } = this.options;
    this.#rejoin = false;
    this.#joiningSince = performance.now();
    try {
      const owned = [...new Set([...this.#held, ...this.#assigned])];
      const joined = await this.#ask(
        joinGroup,
        {
          group,
          sessionTimeoutMs,
          rebalanceTimeoutMs: 2 * sessionTimeoutMs,
          member: this.#member,
          protocol: PROTOCOL,
          metadata: encodeSubscription({ topics, owned: this.#lost ? [] : owned, generation: this.#generation }),
        },
        2 * sessionTimeoutMs + ANSWER_MS,
      );
      if (joined.error === ERROR.memberIdRequired) {
        this.#member = joined.member;
        this.#rejoin = true;
        return;
      }
      if (joined.error !== 0) throw new KafkaError(joined.error, `joining group ${group}`);
      this.#member = joined.member;
      const synced = await this.#ask(
        syncGroup,
        {
          group,
          generation: joined.generation,
          member: joined.member,
          assignments: joined.leader === joined.member ? await this.#divide(joined) : [],
        },
        2 * sessionTimeoutMs + ANSWER_MS,
      );
      if (synced.error !== 0) throw new KafkaError(synced.error, `joining group ${group}`);
      this.#generation = joined.generation;
      this.#assigned = decodeNumbers(synced.assignment);
      this.#confirmedAt = performance.now();
    } catch (error) {
      this.#rejoin = true;
      throw error;
    } finally {
      this.#joiningSince = null;
    }
    this.options.changed();
  }

  async #divide({ members }: JoinAnswer): Promise<{ readonly member: string; readonly assignment: Buffer }[]> {
    const joined = members.map(({ member, metadata }) => ({ member, ...decodeSubscription(metadata) }));
    const partitions = new Map<TopicName, number>();
    for (const name of new Set(joined.flatMap(({ topics }) => topics)))
      partitions.set(name, (await this.cluster.topic(name)).partitions);
    const divided = assignNumbers(joined, Math.max(...partitions.values()));
    return joined.map(({ member, topics }) => ({
      member,
      assignment: encodeAssignment(
        topics.map((topic) => ({
          topic,
          partitions: (divided.get(member) ?? []).filter((number) => number < (partitions.get(topic) ?? 0)),
        })),
      ),
    }));
  }

  async #heartbeat(): Promise<void> {
    const { group } = this.options;
    const request = { group, generation: this.#generation, member: this.#member };
    const { error } = await this.#ask(heartbeat, request, this.options.sessionTimeoutMs);
    if (error === 0) this.#confirmedAt = performance.now();
    else if (error === ERROR.rebalanceInProgress) {
      this.#confirmedAt = performance.now();
      this.#rejoinNow();
    } else throw new KafkaError(error, `a heartbeat of group ${group}`);
  }

  /** True when the background goes on after this error. */
  #takesUp(error: unknown): boolean {
    if (isError(error, ERROR.unknownMember, ERROR.illegalGeneration, ERROR.fencedInstanceId)) {
      this.#lose();
      return true;
    }
    if (isError(error, ERROR.rebalanceInProgress)) {
      this.#rejoin = true;
      return true;
    }
    return passes(error);
  }

  #lose(): void {
    this.#member = '';
    this.#generation = -1;
    this.#assigned = [];
    this.#lost = true;
    this.#rejoin = true;
    this.options.changed();
  }

  #fail(error: unknown): void {
    this.#failure = explained(error, this.options);
    this.#rejoin = true;
    this.options.changed();
  }

  async #fallSilent(): Promise<void> {
    await this.#sayGoodbye();
    this.#lose();
  }

  /** The group is told, as far as it can be reached; it finds out by itself otherwise. */
  async #sayGoodbye(): Promise<void> {
    if (this.#member === '') return;
    const request = { group: this.options.group, member: this.#member };
    await this.cluster.waiting(() => this.#ask(leaveGroup, request, ANSWER_MS)).catch(() => undefined);
  }

  #rejoinNow(): void {
    this.#rejoin = true;
    this.#wake.abort();
  }

  #cutOff(): void {
    this.cluster.release(this.#role);
  }

  #ask<Request, Answer extends { readonly error: number }>(
    api: Parameters<typeof this.cluster.sendToCoordinator<Request, Answer>>[3],
    request: Request,
    timeoutMs: number,
  ): Promise<Answer> {
    return this.cluster.sendToCoordinator('group', this.options.group, this.#role, api, request, timeoutMs);
  }
}

function explained(error: unknown, { group, sessionTimeoutMs }: MembershipOptions): Error {
  if (isError(error, ERROR.inconsistentGroupProtocol)) {
    return new KappaError('KAPPA_FOREIGN_GROUP', `group ${group} has members of another kind`, {
      facts: { group },
      nextStep: 'Give this group another name, or stop the other consumers of it.',
      cause: error,
    });
  }
  if (isError(error, ERROR.invalidSessionTimeout)) {
    return new KappaError('KAPPA_SESSION_TIMEOUT', `Kafka does not allow a session timeout of ${sessionTimeoutMs} ms`, {
      facts: { group, sessionTimeoutMs },
      nextStep:
        'Choose sessionTimeoutMs of kafka(…) between group.min.session.timeout.ms and group.max.session.timeout.ms of the brokers.',
      cause: error,
    });
  }
  return error instanceof Error ? error : new Error(String(error));
}
