import type { StreamName } from '../../kernel/names.js';

/** Lets the commands of one stream in this process go one after another: they would only conflict with each other. */
export class StreamTurns {
  readonly #tails = new Map<StreamName, Promise<unknown>>();

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
}
