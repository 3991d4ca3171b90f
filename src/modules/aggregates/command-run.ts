import { setTimeout as delay } from 'node:timers/promises';
import { RetriableError, WrongExpectedVersionError } from '../../kernel/errors.js';
import type { AppendFate } from './append-fate.js';
import type { AppendOutcome } from './append-request.js';
import type { CommandResult } from './command.js';
import { idReused, tookEffect, valueTaken } from './command-errors.js';
import { ResultOf } from './command-result.js';
import { contentHash } from './content-hash.js';
import { decideOn, type Decided } from './decide-on.js';
import type { RunParts, RunPlace, RunTarget } from './run-target.js';
import { LoadedStream } from './state-cache.js';
import { CommandIdentity } from './stream-loader.js';
import { StreamAhead } from './stream-turns.js';
import { asRecorded } from './write-events.js';

/** What was decided, and what will become of it. */
class Attempt {
  constructor(
    readonly decided: Decided,
    /** It was not looked whether the stream is there. */
    readonly founding: boolean,
    readonly outcome: Promise<AppendOutcome>,
    /** Where the outcome was waited for in turn. */
    readonly result: CommandResult | null = null,
  ) {}
}

/** Not accepted on a state that an append under way will bring about. */
interface RefusedAhead {
  readonly refused: unknown;
  readonly ahead: StreamAhead;
}

type Done = Attempt | RefusedAhead | Repeat;
type Repeat = Extract<AppendOutcome, { outcome: 'repeated' | 'reused' }>;

const LONGEST_PAUSE_MS = 250;

/** One command from its load to its result, with its retries. */
export class CommandRun {
  readonly #identity: CommandIdentity;
  /** A new id has certainly not taken effect before; a given one is looked up before it is refused for anything. */
  #mayRepeat: boolean;
  /** A conflict has shown it: it is not taken for new again. */
  #isThere = false;

  constructor(
    private readonly target: RunTarget,
    private readonly parts: RunParts,
    private readonly place: RunPlace,
  ) {
    const { handler, command, options } = target;
    const commandId = options.idempotencyKey ?? parts.newId();
    this.#identity = new CommandIdentity(commandId, contentHash(handler.commandName, command));
    this.#mayRepeat = options.idempotencyKey !== undefined;
  }

  /** Leaves those under way at its end: who makes a run has entered it. */
  async run(): Promise<CommandResult> {
    try {
      const { options, address, handler } = this.target;
      for (let conflicts = 0; ;) {
        const done = await this.#inTurn();
        if ('refused' in done) {
          const { fate, stream: known } = done.ahead;
          if (!(await fate.settled())) continue;
          // Others may have written before its answer came, and the caller may have seen that.
          const current = await this.#catchUp(known);
          if ('outcome' in current) return await this.#repeated(current);
          if (current.version === known.version) throw done.refused;
          continue;
        }
        if (!('decided' in done)) return await this.#repeated(done);
        const { decided, founding } = done;
        let outcome: AppendOutcome;
        try {
          outcome = await done.outcome;
          if (outcome.outcome === 'appended') {
            if (founding) this.parts.founding.learn(handler, true);
            return done.result ?? this.#appended(decided, outcome.nextOffset, outcome.recordedAtUs);
          }
        } finally {
          // Only now that the state is in the cache, or somebody would find it in neither.
          this.parts.turns.forget(address.stream, decided.request.fate);
        }
        switch (outcome.outcome) {
          case 'repeated':
          case 'reused':
            return await this.#repeated(outcome);
          case 'taken':
            throw valueTaken(this.target, outcome.claim);
          case 'unfounded':
            break;
          case 'conflict':
            this.parts.cache.drop(address.stream);
            this.#isThere ||= outcome.head > 0;
            if (founding) this.parts.founding.learn(handler, false);
            else conflicts += 1;
            if (options.expectedVersion !== undefined || conflicts > this.parts.retries)
              throw new WrongExpectedVersionError(address.stream, decided.before.version, outcome.head);
            // Many processes at one stream: who lost steps aside for longer each time, or all meet again and again.
            if (!founding) await delay(Math.random() * Math.min(2 ** conflicts, LONGEST_PAUSE_MS));
        }
        // Whoever came between may have been this very command, sent twice.
        this.#mayRepeat = options.idempotencyKey !== undefined;
      }
    } finally {
      this.parts.underWay.leave();
    }
  }

  #inTurn(): Done | Promise<Done> {
    const { place, parts, target } = this;
    if (!place.shared) return this.#attempt();
    const { stream } = target.address;
    return (parts.turns.isFree(stream) && this.#attemptAtOnce()) || parts.turns.run(stream, () => this.#attempt());
  }

  /** Where nothing is waited for nobody can come between: no turn is taken, and no promise made. Null where something must be. */
  #attemptAtOnce(): Attempt | RefusedAhead | null {
    const { handler, address } = this.target;
    if (handler.prepare) return null;
    const ahead = this.parts.turns.ahead(address.stream);
    if (ahead) return this.#attemptAhead(ahead);
    const remembered = this.#remembered();
    const known = remembered ?? this.#founded();
    if (!known) return null;
    let decided: Decided;
    try {
      decided = this.#decideOn(known, undefined, null);
    } catch {
      // The state may be behind: it is decided again, on what has been compared with the log.
      return null;
    }
    return decided.guessed ? null : this.#handOver(decided, remembered === null);
  }

  /** Load, prepare, decide, hand over, once; or what the same command did before, where its id turns out to be known. */
  async #attempt(): Promise<Done> {
    const { handler, address } = this.target;
    const ahead = this.place.shared ? this.parts.turns.ahead(address.stream) : null;
    if (ahead) {
      // Prepare may have effects outside: not for what may not come about.
      const done = handler.prepare ? null : this.#attemptAhead(ahead);
      if (done) return done;
      await ahead.fate.settled();
    }
    const remembered = this.#remembered();
    const founded = remembered ? null : this.#founded();
    const known = remembered ?? founded;
    // What prepare does is not done again for a command that has taken effect.
    const loaded = known ? (handler.prepare && (await this.#lookUp())) || known : await this.#load(null);
    if ('outcome' in loaded) return loaded;
    let decided: Decided;
    try {
      decided = await this.#prepareAndDecide(loaded);
    } catch (error) {
      if (!known) throw error;
      // No append compares this with the head, so the state itself must be: it may be behind, for as long as it is kept.
      const current = await this.#catchUp(known);
      if ('outcome' in current) return current;
      if (current.version === known.version) throw error;
      decided = await this.#prepareAndDecide(current);
    }
    const founding = founded !== null && decided.before === founded;
    if (!this.place.shared || !decided.guessed) return this.#handOver(decided, founding);
    const outcome = this.place.append(decided.request);
    return new Attempt(decided, founding, outcome, await this.#settledInTurn(decided, outcome));
  }

  /** Null where it takes a guess: then it is decided when all is known. */
  #attemptAhead(ahead: StreamAhead): Attempt | RefusedAhead | null {
    const { stream, fate } = ahead;
    const { model } = this.target;
    const { guessedPlaces } = model;
    let decided: Decided;
    try {
      decided = this.#decideOn(stream, undefined, fate);
    } catch (refused) {
      return model.guessedPlaces === guessedPlaces ? { refused, ahead } : null;
    }
    return decided.guessed ? null : this.#handOver(decided, false);
  }

  /** Appends, and shows the next command of the stream what that will have brought. */
  #handOver(decided: Decided, founding: boolean): Attempt {
    const outcome = this.place.append(decided.request);
    if (this.place.shared)
      this.parts.turns.goAhead(this.target.address.stream, new StreamAhead(decided.after, decided.request.fate));
    return new Attempt(decided, founding, outcome);
  }

  /** In turn: the next command finds what this one brought, or nothing. */
  async #settledInTurn(decided: Decided, appending: Promise<AppendOutcome>): Promise<CommandResult | null> {
    const outcome = await appending.catch(() => null);
    if (outcome?.outcome === 'appended') return this.#appended(decided, outcome.nextOffset, outcome.recordedAtUs);
    this.parts.cache.drop(this.target.address.stream);
    return null;
  }

  /** The state in memory; null where there is none, or one that is behind what the caller has seen. */
  #remembered(): LoadedStream | null {
    const cached = this.place.shared ? this.parts.cache.get(this.target.address.stream) : null;
    return cached && cached.version >= (this.target.options.expectedVersion ?? 0) ? cached : null;
  }

  /**
   * The state of a stream that is likely to be new, where the command founds one; else null. Prepare may have effects outside: it is
   * not called for a state that is only likely.
   */
  #founded(): LoadedStream | null {
    const { handler, options, model, address } = this.target;
    if (!this.place.shared || handler.prepare || this.#isThere) return null;
    const { expectedVersion } = options;
    const { founding, cache } = this.parts;
    const isLikely =
      expectedVersion === undefined ? founding.isLikely(handler) && !cache.isFormer(address.stream) : expectedVersion === 0;
    return isLikely ? new LoadedStream(0, model.initialState(), 0) : null;
  }

  async #load(known: LoadedStream | null): Promise<LoadedStream | Repeat> {
    const { model, address, handler } = this.target;
    const command = this.#mayRepeat ? this.#identity : null;
    const loaded = await this.parts.loader.load(this.place.reads, model, address, command, known);
    this.#mayRepeat = false;
    if (!known && !('outcome' in loaded) && !this.parts.cache.isFormer(address.stream))
      this.parts.founding.learn(handler, loaded.version === 0);
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

  async #prepareAndDecide(before: LoadedStream): Promise<Decided> {
    const { handler, command } = this.target;
    if (!handler.prepare) return this.#decideOn(before, undefined, null);
    this.#expect(before);
    return this.#decideOn(before, await handler.prepare(command, before.state as Readonly<unknown>, this.parts.inject), null);
  }

  /** @throws what {@link decideOn} throws; WrongExpectedVersionError */
  #decideOn(before: LoadedStream, facts: unknown, ahead: AppendFate | null): Decided {
    this.#expect(before);
    return decideOn(this.parts, this.target, this.#identity, before, facts, ahead);
  }

  /** @throws WrongExpectedVersionError when the stream is not where the caller has seen it. */
  #expect({ version }: LoadedStream): void {
    const { options, address } = this.target;
    const { expectedVersion = version } = options;
    if (expectedVersion !== version) throw new WrongExpectedVersionError(address.stream, expectedVersion, version);
  }

  #appended({ before, after, guessed, written }: Decided, nextOffset: number, recordedAtUs: number): CommandResult {
    const { model, address } = this.target;
    const { version, snapshotVersion } = after;
    const events = model.frozen(asRecorded(written, nextOffset, recordedAtUs));
    if (this.place.shared) {
      const state = guessed
        ? events.reduce<unknown>((folded, event) => model.evolve(folded, event), before.state)
        : after.state;
      if (snapshotVersion > before.snapshotVersion) this.parts.snapshots.offer(model, address.stream, version, state);
      this.parts.cache.set(address.stream, new LoadedStream(version, state, snapshotVersion));
    }
    return new ResultOf(version, address.partitionKey, nextOffset, events);
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
      return new ResultOf(lastVersion, address.partitionKey, nextOffset, events);
    } catch (error) {
      throw error instanceof RetriableError ? tookEffect(address.stream, commandId, error) : error;
    }
  }
}
