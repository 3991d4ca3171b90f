import { covers, latest, NOWHERE, type Position } from '../../../kernel/position.js';

/** What an engine says after each commit; readers in the same process wait on it instead of asking the database. */
export class ProgressSignal {
  readonly #reached = new Map<number, Position>();
  readonly #waiters = new Set<{ readonly build: number; readonly check: (reached: Position) => void }>();
  readonly #listeners = new Set<(build: number, reached: Position) => void>();

  /** The position that this process knows the build to have reached; the database may know a later one. */
  reached(build: number): Position {
    return this.#reached.get(build) ?? NOWHERE;
  }

  publish(build: number, moved: Position): void {
    const reached = latest(this.reached(build), moved);
    this.#reached.set(build, reached);
    for (const waiter of this.#waiters) if (waiter.build === build) waiter.check(reached);
    for (const listener of this.#listeners) listener(build, reached);
  }

  /** Settles when this process has seen the build reach the position, or when the signal aborts: true and false. */
  async wait(build: number, position: Position, signal: AbortSignal): Promise<boolean> {
    if (covers(this.reached(build), position)) return true;
    if (signal.aborted) return false;
    return new Promise((resolve) => {
      const settle = (result: boolean): void => {
        this.#waiters.delete(waiter);
        signal.removeEventListener('abort', onAbort);
        resolve(result);
      };
      const onAbort = (): void => settle(false);
      const waiter = {
        build,
        check: (reached: Position) => {
          if (covers(reached, position)) settle(true);
        },
      };
      this.#waiters.add(waiter);
      signal.addEventListener('abort', onAbort);
    });
  }

  /** Calls the listener after every commit of any build; returns how to stop that. */
  subscribe(listener: (build: number, reached: Position) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}
