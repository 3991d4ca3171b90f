import { setTimeout as sleep } from 'node:timers/promises';
import { laneOf, type Lane, type LetterCounts, type LetterRequest } from '../../../database/dead-letters/dead-letter.js';
import { DeadLetterStore, type ListedLetter } from '../../../database/dead-letters/dead-letter-store.js';
import type { LetterOwnerInfo, LetterOwners } from '../../../database/dead-letters/letter-owners.js';
import type { Database } from '../../../database/database.js';
import type { Codec } from '../../../kernel/codec.js';
import { isoMicros } from '../../../kernel/iso-micros.js';
import { KappaError } from '../../../kernel/errors.js';
import type { LogRecord } from '../../../kernel/record.js';
import type { EventLog } from '../../../log/event-log.js';
import { readRecord } from '../../../log/read-record.js';
import {
  DeadLetters,
  type DeadLetterDetails,
  type DeadLetterInfo,
  type DeadLetterPage,
  type LetterOutcome,
  type ListDeadLetters,
  type SettleOptions,
  type WhichLetters,
} from './dead-letters.js';

export interface LetterDeskOptions {
  readonly database: Pick<Database, 'query' | 'schema'>;
  readonly log: Pick<EventLog, 'read'>;
  readonly codec: Codec;
  /** Every kind of owner that the application has. */
  readonly owners: readonly LetterOwners[];
}

const LOOK_EVERY_MS = 50;
const MOST = 1_000;

/** Dead letters of all kinds of owners: shows them and asks their owners for what is to become of them. */
export class LetterDesk extends DeadLetters {
  readonly #store: DeadLetterStore;

  constructor(private readonly options: LetterDeskOptions) {
    super();
    this.#store = new DeadLetterStore(options.database);
  }

  async list({ name, states = ['letter'], after = 0, limit = 100 }: ListDeadLetters = {}): Promise<DeadLetterPage> {
    if (!Number.isInteger(limit) || limit < 1 || limit > MOST)
      throw new KappaError('KAPPA_BAD_QUERY', `limit is ${limit}`, { nextStep: `Give a whole number from 1 to ${MOST}.` });
    const owners = await this.#owners();
    const named = name === undefined ? {} : { owners: ownersNamed(owners, name) };
    const found = await this.#store.list({ ...named, states, after, limit: limit + 1 });
    const letters = found.slice(0, limit).map((letter) => withOwner(letter, owners));
    return { letters, next: found.length > limit ? (letters.at(-1)?.id ?? null) : null };
  }

  async show(id: number): Promise<DeadLetterDetails> {
    const owners = await this.#owners();
    const [letter] = await this.#lettersOf([id]);
    if (!letter) throw unknownLetter(id);
    const record = await readRecord(this.options.log, letter);
    return { ...withOwner(letter, owners), record: record && this.#shown(record) };
  }

  async retry(which: WhichLetters, options: SettleOptions = {}): Promise<readonly LetterOutcome[]> {
    const owners = await this.#owners();
    const letters = 'ids' in which ? await this.#lettersOf(which.ids) : await this.#openOf(owners, which);
    return this.#ask(letters, owners, 'retry', { ...options, why: null });
  }

  async discard(
    ids: readonly number[],
    options: SettleOptions & { readonly by: string; readonly why: string },
  ): Promise<readonly LetterOutcome[]> {
    if (options.why.trim() === '')
      throw new KappaError('KAPPA_NO_REASON', 'a dead letter is discarded for a reason', {
        nextStep: 'Say why: it is kept with the letter, and shown wherever the event is skipped.',
      });
    return this.#ask(await this.#lettersOf(ids), await this.#owners(), 'discard', options);
  }

  async counts(): Promise<readonly (LetterCounts & { readonly name: string; readonly label: string })[]> {
    const owners = await this.#owners();
    return [...(await this.#store.counts(null))]
      .filter(([owner]) => owners.has(owner))
      .map(([owner, counts]) => ({ ...named(owner, owners), ...counts }));
  }

  async #owners(): Promise<ReadonlyMap<string, LetterOwnerInfo>> {
    const all = await Promise.all(this.options.owners.map((each) => each.all()));
    return new Map(all.flatMap((some) => [...some]));
  }

  /** @throws KAPPA_UNKNOWN_DEAD_LETTER */
  async #lettersOf(ids: readonly number[]): Promise<readonly ListedLetter[]> {
    const letters = await this.#store.get(ids);
    const missing = ids.find((id) => !letters.some((letter) => letter.id === id));
    if (missing !== undefined) throw unknownLetter(missing);
    return letters;
  }

  async #openOf(
    owners: ReadonlyMap<string, LetterOwnerInfo>,
    which: { readonly name: string } | { readonly all: true },
  ): Promise<readonly ListedLetter[]> {
    const wanted = 'name' in which ? ownersNamed(owners, which.name) : [...owners.keys()];
    const settling = wanted.filter((owner) => owners.get(owner)?.settles !== 'never');
    const letters: ListedLetter[] = [];
    for (;;) {
      const after = letters.at(-1)?.id ?? 0;
      const page = await this.#store.list({ owners: settling, states: ['letter'], after, limit: MOST });
      letters.push(...page);
      if (page.length < MOST) return letters;
    }
  }

  async #ask(
    letters: readonly ListedLetter[],
    owners: ReadonlyMap<string, LetterOwnerInfo>,
    what: LetterRequest,
    options: SettleOptions & { readonly why: string | null },
  ): Promise<readonly LetterOutcome[]> {
    for (const letter of letters) await this.#refuseSettled(letter, owners);
    const ids = letters.map(({ id }) => id);
    const asked = (await this.#store.request(ids, what, { by: options.by ?? null, why: options.why })).map(({ id }) => id);
    const soon = letters.filter(({ id, owner }) => asked.includes(id) && owners.get(owner)?.settles === 'now');
    if (soon.length > 0 && (options.waitMs ?? 0) > 0) await this.#untilSettled(soon, options);
    const now = await this.#store.get(ids);
    const outcomes: LetterOutcome[] = [];
    for (const letter of now) outcomes.push(await this.#outcomeOf(letter, owners));
    return outcomes;
  }

  async #untilSettled(letters: readonly ListedLetter[], { waitMs = 0, signal }: SettleOptions): Promise<void> {
    const until = performance.now() + waitMs;
    const concerned = [...new Set(letters.map(({ owner }) => owner))];
    const lanes = new Set(letters.map((letter) => laneText(letter.owner, laneOf(letter))));
    const isOpen = async (owner: string): Promise<boolean> =>
      (await this.#store.requested(owner)).some((lane) => lanes.has(laneText(owner, lane)));
    const wait = async (): Promise<void> => {
      while (performance.now() < until && !signal?.aborted) {
        if (!(await Promise.all(concerned.map(isOpen))).includes(true)) return;
        await sleep(LOOK_EVERY_MS);
      }
    };
    const work = this.options.owners.reduceRight<() => Promise<void>>(
      (inner, kind) => () =>
        kind.withHelp(
          concerned.filter((owner) => owner.startsWith(`${kind.kind}:`)),
          inner,
        ),
      wait,
    );
    await work();
  }

  async #outcomeOf(letter: ListedLetter, owners: ReadonlyMap<string, LetterOwnerInfo>): Promise<LetterOutcome> {
    const info = withOwner(letter, owners);
    if (letter.request !== null) {
      const remark = owners.get(letter.owner)?.remark ?? `whoever runs ${info.label} carries it out`;
      return { letter: info, outcome: 'asked', remark, next: null };
    }
    if (letter.state !== 'applied' && letter.state !== 'discarded')
      return { letter: info, outcome: 'failed', remark: letter.reason?.message ?? null, next: null };
    const [waiting] = await this.#store.lane(letter.owner, laneOf(letter), 1);
    const [next] = waiting ? await this.#store.get([waiting.id]) : [];
    return {
      letter: info,
      outcome: letter.state,
      remark: next ? `those behind it wait at ${next.id} now: ${next.reason?.message ?? 'their turn comes'}` : null,
      next: next ? withOwner(next, owners) : null,
    };
  }

  async #refuseSettled(letter: ListedLetter, owners: ReadonlyMap<string, LetterOwnerInfo>): Promise<void> {
    const { label } = named(letter.owner, owners);
    const facts = { id: letter.id, owner: label, state: letter.state };
    if (letter.state === 'follower') {
      const ahead = await this.#store.aheadOf(letter);
      throw new KappaError(
        'KAPPA_DEAD_LETTER_WAITS',
        `${letter.id} waits behind ${ahead?.id ?? 'another'}, an earlier event of its key`,
        { facts: { ...facts, ahead: ahead?.id ?? null }, nextStep: `Retry or discard ${ahead?.id ?? 'that one'} first.` },
      );
    }
    const owner = owners.get(letter.owner);
    const ended = owner?.settles === 'now' || owner?.settles === 'later' ? null : `${label} has ended`;
    const settled = letter.state === 'letter' ? ended : `it was ${letter.state} at ${letter.settledAt ?? 'some time'}`;
    if (settled === null) return;
    throw new KappaError('KAPPA_DEAD_LETTER_SETTLED', `nothing can be done for dead letter ${letter.id}: ${settled}`, {
      facts,
      nextStep: 'See npx nest-kappa dead-letters list.',
    });
  }

  #shown(record: LogRecord): DeadLetterDetails['record'] {
    const { headers, value } = record;
    const about = { headers, recordedAt: isoMicros(record.timestampUs) };
    if (value === null) return { ...about, data: null, base64: null };
    try {
      return { ...about, data: this.options.codec.decode(value, headers), base64: null };
    } catch {
      return { ...about, data: null, base64: Buffer.from(value).toString('base64') };
    }
  }
}

function laneText(owner: string, { topic, partition, key, offset }: Lane): string {
  return JSON.stringify([owner, topic, partition, key, offset]);
}

function withOwner(letter: ListedLetter, owners: ReadonlyMap<string, LetterOwnerInfo>): DeadLetterInfo {
  return { ...letter, ...named(letter.owner, owners) };
}

/** An owner that is gone is called as it is stored. */
function named(owner: string, owners: ReadonlyMap<string, LetterOwnerInfo>): { readonly name: string; readonly label: string } {
  const info = owners.get(owner);
  return { name: info?.name ?? owner, label: info?.label ?? owner };
}

/** @throws KAPPA_UNKNOWN_PROJECTION */
function ownersNamed(owners: ReadonlyMap<string, LetterOwnerInfo>, name: string): readonly string[] {
  const found = [...owners].filter(([, info]) => info.name === name).map(([owner]) => owner);
  if (found.length > 0) return found;
  throw new KappaError('KAPPA_UNKNOWN_PROJECTION', `nothing that is built is named ${name}`, {
    facts: { name, known: [...new Set([...owners.values()].map((info) => info.name))] },
    nextStep: 'See npx nest-kappa projections list.',
  });
}

function unknownLetter(id: number): KappaError {
  return new KappaError('KAPPA_UNKNOWN_DEAD_LETTER', `there is no dead letter ${id}`, {
    facts: { id },
    nextStep: 'See npx nest-kappa dead-letters list.',
  });
}
