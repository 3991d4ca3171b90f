/** What becomes of one append, for those that are decided on what it will have brought. */
export class AppendFate {
  #appended: boolean | null = null;
  #before: AppendFate | null;
  #told: ((appended: boolean) => void)[] | null = null;

  /** `before`: the append that this one was decided on, where that is not committed yet. */
  constructor(before: AppendFate | null = null) {
    this.#before = before;
  }

  /** Not appended, or decided on one that was not: it must not be sent. */
  isLost(): boolean {
    if (this.#before !== null && this.#before.#appended === false) this.settle(false);
    return this.#appended === false;
  }

  /** The one that it was decided on is still to be decided, and not among these, which are decided before it. */
  waitsForOther(earlier: ReadonlySet<AppendFate>): boolean {
    return this.#before !== null && this.#before.#appended === null && !earlier.has(this.#before);
  }

  /** Said once; what is said later does not count. */
  settle(appended: boolean): void {
    if (this.#appended !== null) return;
    this.#appended = appended;
    // A stream that never rests would else hold on to every append it ever made.
    this.#before = null;
    const told = this.#told;
    this.#told = null;
    if (told) for (const tell of told) tell(appended);
  }

  /** Resolves with whether it was appended. */
  settled(): Promise<boolean> {
    const appended = this.#appended;
    return appended === null ? new Promise((resolve) => (this.#told ??= []).push(resolve)) : Promise.resolve(appended);
  }
}
