import { HEADER } from '../../kernel/envelope.js';
import { KappaError } from '../../kernel/errors.js';
import type { PartitionKey } from '../../kernel/position.js';
import { isTransient } from '../database-errors.js';
import type { Database, Queryable } from '../database.js';
import { qualified } from '../identifiers.js';
import {
  NO_LETTERS,
  storable,
  type Aside,
  type DeadLetter,
  type Lane,
  type LetterCounts,
  type LetterPlace,
  type LetterReason,
  type LetterRequest,
  type LetterState,
} from './dead-letter.js';
import { letterOf, type LetterRow } from './letter-row.js';
import { letterStatements, type LetterStatements } from './letter-statements.js';

/** What stands aside in partitions that somebody has just claimed. */
export interface Standing {
  /** Keys whose records wait. */
  readonly lanes: readonly { readonly topic: string; readonly partition: number; readonly key: string }[];
  /** Records that are to be skipped. */
  readonly discards: readonly LetterPlace[];
  /** Records of the owner that wait, in all partitions. */
  readonly open: number;
}

export interface ListLetters {
  /** Default: all. */
  readonly owners?: readonly string[];
  readonly states: readonly LetterState[];
  /** Letters with a higher id. */
  readonly after?: number;
  readonly limit: number;
}

/** A letter with how many records wait behind it. */
export type ListedLetter = DeadLetter & { readonly followers: number };

const MOST_MESSAGE = 8_000;
const MOST_STACK = 32_000;

/**
 * Dead letters in our schema of PostgreSQL, for owners of any kind. What an owner writes is given its transaction: the one that
 * moves its progress, so that nothing is ever neither applied nor set aside.
 */
export class DeadLetterStore {
  readonly #sql: LetterStatements;

  constructor(private readonly database: Pick<Database, 'query' | 'schema'>) {
    this.#sql = letterStatements(qualified(database.schema, 'dead_letters'));
  }

  /** To be asked after the partitions were claimed: then nobody else writes any more. */
  async standing(owner: string, partitions: readonly PartitionKey[]): Promise<Standing> {
    const { rows: lanes } = await this.database.query<{ topic: string; partition: number; key: string }>(this.#sql.lanes, [
      owner,
      partitions,
    ]);
    const { rows: discards } = await this.database.query<{ topic: string; partition: number; log_offset: number }>(
      this.#sql.discards,
      [owner, partitions],
    );
    return {
      lanes,
      discards: discards.map(({ topic, partition, log_offset }) => ({ topic, partition, offset: log_offset })),
      open: await this.countOpen(owner),
    };
  }

  async countOpen(owner: string, on: Queryable = this.database): Promise<number> {
    const { rows } = await on.query<{ open: number }>(this.#sql.countOpen, [owner]);
    return rows[0]?.open ?? 0;
  }

  /**
   * Sets records aside, in the transaction that moves progress over them. Returns how many of the owner wait now.
   * @throws KAPPA_DEAD_LETTER_UNWRITABLE, at which the owner must stop; what passes by itself as it came
   */
  async park(on: Queryable, owner: string, asides: readonly Aside[]): Promise<number> {
    try {
      await on.query(this.#sql.park, [
        owner,
        asides.map(({ record }) => record.topic),
        asides.map(({ record }) => record.partition),
        asides.map(({ record }) => record.offset),
        asides.map(({ record }) => textOf(record.key)),
        asides.map(({ record }) => textOf(record.headers[HEADER.tenant] ?? null)),
        asides.map(({ record }) => textOf(record.headers[HEADER.type] ?? null)),
        asides.map(({ reason }) => (reason ? 'letter' : 'follower')),
        asides.map(({ reason }) => textOf(reason?.code ?? null)),
        asides.map(({ reason }) => textOf(reason?.message ?? null, MOST_MESSAGE)),
        asides.map(({ reason }) => textOf(reason?.stack ?? null, MOST_STACK)),
        asides.map(({ attempts }) => attempts),
      ]);
      return await this.countOpen(owner, on);
    } catch (error) {
      throw isTransient(error) ? error : unwritable(owner, error);
    }
  }

  /** Lanes of which somebody asked something, in log order. */
  async requested(owner: string): Promise<readonly Lane[]> {
    const { rows } = await this.database.query<Pick<LetterRow, 'topic' | 'partition' | 'key'> & { log_offset: number | null }>(
      this.#sql.requested,
      [owner],
    );
    return rows.map(({ topic, partition, key, log_offset }) => ({ topic, partition, key, offset: log_offset }));
  }

  /** What waits in a lane, in log order; the first is a letter, or a follower whose turn has come. */
  async lane(owner: string, lane: Lane, limit: number): Promise<readonly DeadLetter[]> {
    const { rows } = await this.database.query<LetterRow>(this.#sql.lane, [...laneValues(owner, lane), limit]);
    return rows.map(letterOf);
  }

  /** Settles the first of a lane, and lets the next come when its turn is. */
  async settle(on: Queryable, lane: Lane, letters: readonly DeadLetter[], to: 'applied' | 'discarded'): Promise<void> {
    const [first] = letters;
    if (!first) return;
    await on.query(this.#sql.settle, [letters.map(({ id }) => id), to]);
    await on.query(this.#sql.passOn, [...laneValues(first.owner, lane), first.requestedBy, first.requestedWhy]);
  }

  /** It is at fault, again or for the first time; those behind it go on waiting. */
  async fail(on: Queryable, id: number, { code, message, stack }: LetterReason): Promise<void> {
    await on.query(this.#sql.fail, [id, code, textOf(message, MOST_MESSAGE), textOf(stack, MOST_STACK)]);
  }

  /** Asks the owners for something; those that are no letters any more are left out of the answer. */
  async request(
    ids: readonly number[],
    what: LetterRequest,
    { by, why }: { readonly by: string | null; readonly why: string | null },
  ): Promise<readonly DeadLetter[]> {
    const { rows } = await this.database.query<LetterRow>(this.#sql.request, [ids, what, textOf(by), textOf(why)]);
    return rows.map(letterOf);
  }

  async get(ids: readonly number[]): Promise<readonly ListedLetter[]> {
    const { rows } = await this.database.query<ListedRow>(this.#sql.get, [ids]);
    return rows.map(listed);
  }

  async list({ owners, states, after = 0, limit }: ListLetters): Promise<readonly ListedLetter[]> {
    const { rows } = await this.database.query<ListedRow>(this.#sql.list, [owners ?? null, states, after, limit]);
    return rows.map(listed);
  }

  /** The letter that a follower waits for. */
  async aheadOf({ owner, topic, partition, key, offset }: DeadLetter): Promise<DeadLetter | null> {
    const { rows } = await this.database.query<LetterRow>(this.#sql.ahead, [owner, topic, partition, key, offset]);
    return rows[0] ? letterOf(rows[0]) : null;
  }

  /** By owner; owners of none are left out. Of all owners when none is named. */
  async counts(owners: readonly string[] | null, on: Queryable = this.database): Promise<ReadonlyMap<string, LetterCounts>> {
    const { rows } = await on.query<LetterCounts & { owner: string }>(this.#sql.counts, [owners]);
    return new Map(rows.map(({ owner, letters, followers, discarded }) => [owner, { letters, followers, discarded }]));
  }

  async countsOf(owner: string, on: Queryable = this.database): Promise<LetterCounts> {
    return (await this.counts([owner], on)).get(owner) ?? NO_LETTERS;
  }

  /** An owner that begins anew skips what was discarded on purpose for others, of topics whose offsets mean the same. */
  async inherit(
    on: Queryable,
    owner: string,
    from: readonly { readonly owner: string; readonly topic: string }[],
  ): Promise<void> {
    if (from.length === 0) return;
    await on.query(this.#sql.inherit, [owner, from.map((each) => each.owner), from.map(({ topic }) => topic)]);
  }

  /** The owner is gone; what was discarded for it is kept for those who inherit it. */
  async forget(on: Queryable, owner: string): Promise<void> {
    await on.query(this.#sql.forget, [owner]);
  }
}

type ListedRow = LetterRow & { readonly followers: number };

function listed(row: ListedRow): ListedLetter {
  return { ...letterOf(row), followers: row.followers };
}

function laneValues(owner: string, { topic, partition, key, offset }: Lane): readonly unknown[] {
  return [owner, topic, partition, key, offset];
}

function textOf(text: string | null, most = Infinity): string | null {
  if (text === null) return null;
  return storable(text.length > most ? `${text.slice(0, most)}…` : text);
}

function unwritable(owner: string, cause: unknown): KappaError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new KappaError('KAPPA_DEAD_LETTER_UNWRITABLE', `a dead letter of ${owner} cannot be written: ${reason}`, {
    facts: { owner },
    nextStep: 'Nothing was moved over. Correct what the database says and start again.',
    cause,
  });
}
