import type { CommandHandler } from './aggregate.js';

/** A stream that was new counts one, one that was not takes four away: guesses stay where at least four of five are right. */
const SURE = 4;
const MOST = 12;
const NOT_NEW = 4;

/**
 * Guesses which commands found their streams, as those of an import or of an opening do: their load would only find that there is
 * nothing. The append compares versions and makes a wrong guess a conflict, so that it costs one round trip and nothing else.
 */
export class FoundingGuess {
  readonly #scores = new Map<CommandHandler, number>();

  /** Whether the stream of such a command is likely to be new. */
  isLikely(handler: CommandHandler): boolean {
    return (this.#scores.get(handler) ?? 0) >= SURE;
  }

  /** Tells whether the stream of such a command, which nobody remembered, was new. */
  learn(handler: CommandHandler, isNew: boolean): void {
    const score = this.#scores.get(handler) ?? 0;
    this.#scores.set(handler, isNew ? Math.min(score + 1, MOST) : Math.max(score - NOT_NEW, 0));
  }
}
