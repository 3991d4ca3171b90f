import type { StreamName } from '../../kernel/names.js';

/** A stream as it was loaded or left by the last command. */
export interface LoadedStream {
  readonly version: number;
  readonly state: unknown;
  /** Of its last snapshot; 0 where there is none. */
  readonly snapshotVersion: number;
}

/**
 * The states of streams that were used last, so that a hot stream is not loaded again. Filled only with what was committed:
 * filled before, a failed append would be applied twice by its retry. An entry is behind when another process or the caller's own
 * transaction has written since. What is decided on it is refused by the append, which compares versions; what comes to no append,
 * a refusal or an error, holds only once the entry has been compared with the log.
 */
export class StateCache {
  readonly #states = new Map<StreamName, LoadedStream>();

  /** `size` 0 keeps nothing. */
  constructor(private readonly size: number) {}

  get(stream: StreamName): LoadedStream | null {
    const found = this.#states.get(stream);
    if (!found) return null;
    this.#states.delete(stream);
    this.#states.set(stream, found);
    return found;
  }

  /** An older state never takes the place of a newer one: drop that first where it is not to be trusted. */
  set(stream: StreamName, entry: LoadedStream): void {
    if (this.size === 0 || (this.#states.get(stream)?.version ?? 0) > entry.version) return;
    this.#states.delete(stream);
    this.#states.set(stream, entry);
    if (this.#states.size <= this.size) return;
    for (const oldest of this.#states.keys()) {
      this.#states.delete(oldest);
      break;
    }
  }

  drop(stream: StreamName): void {
    this.#states.delete(stream);
  }
}
