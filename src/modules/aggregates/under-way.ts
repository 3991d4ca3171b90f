/** Counts the commands that are being executed. Only counted: a set that is filled and emptied all the time leaves its former tables behind. */
export class UnderWay {
  #count = 0;
  #rested: (() => void)[] = [];

  get count(): number {
    return this.#count;
  }

  enter(): void {
    this.#count += 1;
  }

  leave(): void {
    this.#count -= 1;
    if (this.#count === 0) for (const resolve of this.#rested.splice(0)) resolve();
  }

  /** Resolves when none is left. */
  async rested(): Promise<void> {
    if (this.#count > 0) await new Promise<void>((resolve) => this.#rested.push(resolve));
  }
}
