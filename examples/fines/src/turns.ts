/** Work that has its turn by key: the next of a key begins when the former has ended. Nothing is kept of keys that have no work. */
export class Turns {
  readonly #last = new Map<string, Promise<void>>();

  /** Resolves when this work has ended. `work` does not reject. */
  take(key: string, work: () => Promise<void>): Promise<void> {
    const turn = (this.#last.get(key) ?? Promise.resolve()).then(work).finally(() => {
      if (this.#last.get(key) === turn) this.#last.delete(key);
    });
    this.#last.set(key, turn);
    return turn;
  }

  /** Keys that have work. */
  get size(): number {
    return this.#last.size;
  }
}
