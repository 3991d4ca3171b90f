/** Stops what was started, last first, once; one that fails does not keep the others running. */
export class StopStack {
  readonly #stops: (() => Promise<void>)[] = [];
  #running: Promise<void> | null = null;

  add(stop: () => Promise<void>): void {
    this.#stops.push(stop);
  }

  /** @throws the first error, when all have been tried. */
  run(): Promise<void> {
    return (this.#running ??= this.#run());
  }

  async #run(): Promise<void> {
    const errors: unknown[] = [];
    for (const stop of this.#stops.toReversed()) await stop().catch((error: unknown) => errors.push(error));
    if (errors.length > 0) throw errors[0];
  }
}
