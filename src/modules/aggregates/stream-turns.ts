import type { StreamName } from '../../kernel/names.js';
import type { AppendFate } from './append-fate.js';
import type { LoadedStream } from './state-cache.js';

/** A stream as it will stand when an append that is under way is committed. */
export interface StreamAhead {
  readonly stream: LoadedStream;
  readonly fate: AppendFate;
}

/**
 * Lets the commands of one stream in this process decide one after another: they would only conflict with each other. What one
 * has decided is told to the next before it is committed, so that a hot stream does not wait for a commit with each command.
 */
export class StreamTurns {
  readonly #tails = new Map<StreamName, Promise<unknown>>();
  readonly #ahead = new Map<StreamName, StreamAhead>();

  async run<T>(stream: StreamName, work: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(stream);
    const turn = before ? before.then(work, work) : work();
    this.#tails.set(stream, turn);
    try {
      return await turn;
    } finally {
      if (this.#tails.get(stream) === turn) this.#tails.delete(stream);
    }
  }

  /** What the last command has decided, while its append is under way. */
  ahead(stream: StreamName): StreamAhead | null {
    return this.#ahead.get(stream) ?? null;
  }

  /** To be called in turn. It is forgotten when its append is settled: what is committed stands in the cache. */
  goAhead(stream: StreamName, ahead: StreamAhead): void {
    this.#ahead.set(stream, ahead);
    void ahead.fate.settled().then(() => {
      if (this.#ahead.get(stream) === ahead) this.#ahead.delete(stream);
    });
  }
}
