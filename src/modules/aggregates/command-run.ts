import { setTimeout as delay } from 'node:timers/promises';
import { RetriableError, WrongExpectedVersionError } from '../../kernel/errors.js';
import type { AppendOutcome, AppendRequest } from './append-request.js';
import type { CommandResult } from './command.js';
import { idReused, tookEffect, valueTaken } from './command-errors.js';
import { contentHash } from './content-hash.js';
import { decideOn, type Decided } from './decide-on.js';
import type { RunParts, RunTarget } from './run-target.js';
import type { LoadedStream } from './state-cache.js';
import type { CommandIdentity } from './stream-loader.js';
import type { StreamReads } from './stream-reads.js';
import { asRecorded } from './write-events.js';

/** Where a run reads and appends: our pool and the group commit, or the caller's own transaction. */
export interface RunPlace {
  readonly reads: StreamReads;
  append(request: AppendRequest): Promise<AppendOutcome>;
  /** Whether what was appended is committed, so that others may see it from the cache. */
  readonly shared: boolean;
}

interface Attempt extends Omit<Decided, 'request'> {
  readonly outcome: AppendOutcome;
}

type Repeat = Extract<AppendOutcome, { outcome: 'repeated' | 'reused' }>;

const LONGEST_PAUSE_MS = 250;

/** One command from its load to its result, with its retries. */
export class CommandRun {
  readonly #identity: CommandIdentity;
  /** A new id has certainly not taken effect before; a given one is looked up before it is refused for anything. */
  #mayRepeat: boolean;

  constructor(
    private readonly target: RunTarget,
    private readonly parts: RunParts,
    private readonly place: RunPlace,
  ) {
    const { handler, command, options } = target;
    this.#identity = {
      commandId: options.idempotencyKey ?? parts.newId(),
      contentHash: contentHash(handler.commandName, command),
    };
    this.#mayRepeat = options.idempotencyKey !== undefined;
  }

  async run(): Promise<CommandResult> {
    const { options, address } = this.target;
    for (let attempt = 1; ; attempt += 1) {
      const done = await this.#attempt();
      if (!('written' in done)) return this.#repeated(done);
      const { before, outcome } = done;
      switch (outcome.outcome) {
        case 'appended':
          return this.#appended(done, outcome.nextOffset, outcome.recordedAtUs);
        case 'repeated':
        case 'reused':
          return this.#repeated(outcome);
        case 'taken':
          throw valueTaken(this.target, outcome.claim);
        case 'conflict':
          this.parts.cache.drop(address.stream);
          if (options.expectedVersion !== undefined || attempt > this.parts.retries)
            throw new WrongExpectedVersionError(address.stream, before.version, outcome.head);
          // Whoever came between may have been this very command, sent twice.
          this.#mayRepeat = options.idempotencyKey !== undefined;
          // Many processes at one stream: who lost steps aside for longer each time, or all meet again and again.
          await delay(Math.random() * Math.min(2 ** attempt, LONGEST_PAUSE_MS));
      }
    }
  }

  /** Load, prepare, decide, append, once; or what the same command did before, where its id turns out to be known. */
  async #attempt(): Promise<Attempt | Repeat> {
    const remembered = this.#remembered();
    // What prepare does is not done again for a command that has taken effect.
    const loaded = remembered ? (this.target.handler.prepare && (await this.#lookUp())) || remembered : await this.#load(null);
    if ('outcome' in loaded) return loaded;
    let decided: Decided;
    try {
      decided = await this.#decideOn(loaded);
    } catch (error) {
      if (!remembered) throw error;
      // No append compares this with the head, so the state itself must be: it may be behind, for as long as it is kept.
      const current = await this.#catchUp(remembered);
      if ('outcome' in current) return current;
      if (current.version === remembered.version) throw error;
      decided = await this.#decideOn(current);
    }
    const { before, written, request } = decided;
    return { before, written, outcome: await this.place.append(request) };
  }

  /** The state in memory; null where there is none, or one that is behind what the caller has seen. */
  #remembered(): LoadedStream | null {
    const cached = this.place.shared ? this.parts.cache.get(this.target.address.stream) : null;
    return cached && cached.version >= (this.target.options.expectedVersion ?? 0) ? cached : null;
  }

  async #load(known: LoadedStream | null): Promise<LoadedStream | Repeat> {
    const { model, address } = this.target;
    const command = this.#mayRepeat ? this.#identity : null;
    const loaded = await this.parts.loader.load(this.place.reads, model, address, command, known);
    this.#mayRepeat = false;
    return loaded;
  }

  /** The remembered state with what others have written since; or what the same command did, which may be a part of that. */
  async #catchUp(remembered: LoadedStream): Promise<LoadedStream | Repeat> {
    const { options, address } = this.target;
    this.parts.cache.drop(address.stream);
    this.#mayRepeat = options.idempotencyKey !== undefined;
    const current = await this.#load(remembered);
    if (!('outcome' in current)) this.parts.cache.set(address.stream, current);
    return current;
  }

  async #lookUp(): Promise<Repeat | null> {
    if (!this.#mayRepeat) return null;
    this.#mayRepeat = false;
    return this.parts.loader.earlier(this.place.reads, this.target.address, this.#identity);
  }

  async #decideOn(before: LoadedStream): Promise<Decided> {
    const { handler, command, options, address } = this.target;
    const { version, state } = before;
    const { expectedVersion = version } = options;
    if (expectedVersion !== version) throw new WrongExpectedVersionError(address.stream, expectedVersion, version);
    const facts = handler.prepare ? await handler.prepare(command, state as Readonly<unknown>, this.parts.inject) : undefined;
    return decideOn(this.parts, this.target, this.#identity, before, facts);
  }

  #appended({ before, written }: Attempt, nextOffset: number, recordedAtUs: number): CommandResult {
    const { model, address } = this.target;
    const version = before.version + written.length;
    const events = model.frozen(asRecorded(written, nextOffset, recordedAtUs));
    if (this.place.shared) {
      const state = events.reduce<unknown>((folded, event) => model.evolve(folded, event), before.state);
      const every = model.definition.snapshotEvery;
      const due = every !== null && version - before.snapshotVersion >= every;
      if (due) this.parts.snapshots.offer(model, address.stream, version, state);
      this.parts.cache.set(address.stream, { version, state, snapshotVersion: due ? version : before.snapshotVersion });
    }
    return { version, position: { [address.partitionKey]: nextOffset }, events };
  }

  /**
   * The first result again, its events read anew.
   * @throws UnknownOutcomeError when they cannot be read now: `RetriableError` would say that nothing happened
   */
  async #repeated(earlier: Repeat): Promise<CommandResult> {
    const { model, address } = this.target;
    const { commandId } = this.#identity;
    if (earlier.outcome === 'reused') throw idReused(this.target, commandId);
    this.parts.cache.drop(address.stream);
    const { firstVersion, lastVersion, nextOffset } = earlier;
    try {
      const events = await this.parts.loader.events(this.place.reads, model, address, firstVersion, lastVersion);
      return { version: lastVersion, position: { [address.partitionKey]: nextOffset }, events };
    } catch (error) {
      throw error instanceof RetriableError ? tookEffect(address.stream, commandId, error) : error;
    }
  }
}
