import type { Queryable } from '../../database/database.js';
import { qualified } from '../../database/identifiers.js';
import { KappaError, RetriableError } from '../../kernel/errors.js';
import type { ProgressSignal } from '../projections/runner/progress-signal.js';
import {
  covers,
  distance,
  formatPosition,
  parsePartitionKey,
  parsePosition,
  type PartitionKey,
  type Position,
} from '../../kernel/position.js';

export interface WaitOptions {
  /** Default 15,000. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

interface Waiter {
  readonly projection: string;
  readonly wanted: Position;
  reached: Position | null;
  readonly done: (error: Error | null) => void;
}

/** Longer than the session timeout of a group: a read outlasts the takeover from a process that was killed. */
export const DEFAULT_TIMEOUT_MS = 15_000;
/** Another process commits a batch every few milliseconds under load: below 5 ms a poll only costs, above 100 ms it is felt. */
const FASTEST_POLL_MS = 5;
const SLOWEST_POLL_MS = 100;

const readPositionsIn = (schema: string): string => `
  select p.name, coalesce(string_agg(g.topic || '/' || g.partition || ':' || g.next_offset, ','), '') as position
    from ${qualified(schema, 'projections')} p
    join ${qualified(schema, 'progress')} g on g.build_id = p.active_build
   where p.name = any ($1::text[])
   group by p.name`;

/**
 * Lets reads wait for positions: woken at once by what commits in this process, by a short adaptive poll for other processes.
 * One poller for all that wait here; none while nobody waits.
 */
export class ProgressWatch {
  readonly #waiters = new Set<Waiter>();
  #wake: (() => void) | null = null;
  #again = false;
  #pauseMs = FASTEST_POLL_MS;
  #poller: Promise<void> | null = null;
  #stopped = false;

  constructor(
    private readonly database: Queryable & { readonly schema: string },
    private readonly progress: Pick<ProgressSignal, 'subscribe'>,
  ) {}

  /**
   * Resolves when the live build of the projection has reached `wanted`. Topics that it does not read are left out of account.
   * @throws KAPPA_READ_TIMEOUT with how far it is; KAPPA_BAD_POSITION for a partition its topic does not have; the signal's reason.
   */
  async waitFor(projection: string, wanted: Position, options: WaitOptions = {}): Promise<void> {
    const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    options.signal?.throwIfAborted();
    if (this.#stopped) throw stopping(projection);
    await new Promise<void>((resolve, reject) => {
      const done = (error: Error | null): void => {
        clearTimeout(timer);
        options.signal?.removeEventListener('abort', abort);
        this.#waiters.delete(waiter);
        if (error === null) resolve();
        else reject(error);
      };
      const waiter: Waiter = { projection, wanted, reached: null, done };
      const abort = (): void => done(options.signal?.reason as Error);
      const timer = setTimeout(() => done(timedOut(waiter, timeoutMs)), timeoutMs);
      options.signal?.addEventListener('abort', abort, { once: true });
      this.#waiters.add(waiter);
      this.#pauseMs = FASTEST_POLL_MS;
      this.#lookAgain();
      this.#keepPolling();
    });
  }

  /** Refuses whoever still waits. May be called twice. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const waiter of this.#waiters) waiter.done(stopping(waiter.projection));
    this.#lookAgain();
    await this.#poller;
  }

  #keepPolling(): void {
    this.#poller ??= this.#poll().finally(() => {
      this.#poller = null;
      // Whoever came while the poller was ending found it still there.
      if (this.#waiters.size > 0) this.#keepPolling();
    });
  }

  async #poll(): Promise<void> {
    let seen = '';
    const end = this.progress.subscribe(() => this.#lookAgain());
    try {
      while (this.#waiters.size > 0) {
        this.#again = false;
        const now = await this.#look();
        this.#pauseMs = now === seen ? Math.min(this.#pauseMs * 2, SLOWEST_POLL_MS) : FASTEST_POLL_MS;
        seen = now;
        if (this.#waiters.size > 0 && !this.#again) await this.#pause(this.#pauseMs);
      }
    } finally {
      end();
    }
  }

  /** Ends the pause, or spares it when a look is under way that may have been too early. */
  #lookAgain(): void {
    this.#again = true;
    this.#wake?.();
  }

  /** One look for all that wait; returns what was seen, as text, to tell whether anything moves. */
  async #look(): Promise<string> {
    const waiters = [...this.#waiters];
    const names = [...new Set(waiters.map(({ projection }) => projection))].sort();
    // A database that is away is waited for as long as each waiter's own bound.
    const answer = await this.database
      .query<{ name: string; position: string }>(readPositionsIn(this.database.schema), [names])
      .catch(() => null);
    if (answer === null) return '';
    const positions = new Map(answer.rows.map(({ name, position }) => [name, parsePosition(position)]));
    for (const waiter of waiters) settle(waiter, positions.get(waiter.projection) ?? null);
    return JSON.stringify(answer.rows);
  }

  async #pause(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = null;
  }
}

function settle(waiter: Waiter, reached: Position | null): void {
  if (reached === null) return;
  waiter.reached = reached;
  try {
    if (covers(reached, relevantPart(waiter.wanted, reached, waiter.projection))) waiter.done(null);
  } catch (error) {
    waiter.done(error as Error);
  }
}

/**
 * The part of a wanted position that speaks of topics the build reads: a position that several commands returned may name others.
 * @throws KAPPA_BAD_POSITION for a partition that such a topic does not have.
 */
export function relevantPart(wanted: Position, reached: Position, projection: string): Position {
  const topics = new Set(Object.keys(reached).map((key) => parsePartitionKey(key as PartitionKey).topic));
  const relevant = Object.entries(wanted).filter(([key]) => topics.has(parsePartitionKey(key as PartitionKey).topic));
  const missing = relevant.find(([key]) => !(key in reached));
  if (missing) {
    throw new KappaError('KAPPA_BAD_POSITION', `projection ${projection} reads no ${missing[0]}`, {
      facts: { projection, partition: missing[0] },
      nextStep: 'Give a position as a command returned it.',
    });
  }
  return Object.fromEntries(relevant);
}

function timedOut(waiter: Waiter, timeoutMs: number): KappaError {
  const { projection, wanted, reached } = waiter;
  const behind = distance(reached ?? {}, reached === null ? wanted : relevantPart(wanted, reached, projection));
  const how =
    reached === null
      ? 'it has no live build yet, or the database does not answer'
      : `it is ${behind} behind, at ${formatPosition(reached)}`;
  return new KappaError(
    'KAPPA_READ_TIMEOUT',
    `projection ${projection} did not reach ${formatPosition(wanted)} within ${timeoutMs} ms: ${how}`,
    {
      facts: {
        projection,
        wanted: formatPosition(wanted),
        reached: reached === null ? null : formatPosition(reached),
        behind,
        timeoutMs,
      },
      nextStep: 'Try again, wait longer, or see `npx nest-kappa projections status` for what holds it up.',
    },
  );
}

function stopping(projection: string): RetriableError {
  return new RetriableError(`waiting for projection ${projection} ended because the application stops`);
}
