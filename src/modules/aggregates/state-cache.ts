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
  /** Those that were used last, and those that were used last when the former were half of what is kept. */
  #young = new Map<StreamName, LoadedStream>();
  #old = new Map<StreamName, LoadedStream>();
  readonly #half: number;

  /** `size` 0 keeps nothing. */
  constructor(private readonly size: number) {
    this.#half = Math.ceil(size / 2);
  }

  get(stream: StreamName): LoadedStream | null {
    const young = this.#young.get(stream);
    if (young) return young;
    const old = this.#old.get(stream);
    if (!old) return null;
    this.#keep(stream, old);
    return old;
  }

  /** An older state never takes the place of a newer one: drop that first where it is not to be trusted. */
  set(stream: StreamName, entry: LoadedStream): void {
    if (this.size === 0) return;
    const known = this.#young.get(stream) ?? this.#old.get(stream);
    if ((known?.version ?? 0) > entry.version) return;
    this.#keep(stream, entry);
  }

  drop(stream: StreamName): void {
    this.#young.delete(stream);
    this.#old.delete(stream);
  }

  #keep(stream: StreamName, entry: LoadedStream): void {
    this.#young.set(stream, entry);
    if (this.#young.size < this.#half) return;
    this.#old = this.#young;
    this.#young = new Map();
  }
}
