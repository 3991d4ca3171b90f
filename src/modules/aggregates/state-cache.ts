import type { StreamName } from '../../kernel/names.js';
import { FormerStreams } from './former-streams.js';

/** A stream as it was loaded or left by the last command. */
export class LoadedStream {
  constructor(
    readonly version: number,
    readonly state: unknown,
    /** Of its last snapshot; 0 where there is none. */
    readonly snapshotVersion: number,
  ) {}
}

/**
 * The states of streams that were used last, so that a hot stream is not loaded again. Filled only with what was committed:
 * filled before, a failed append would be applied twice by its retry. An entry is behind when another process or the caller's own
 * transaction has written since. What is decided on it is refused by the append, which compares versions; what comes to no append,
 * a refusal or an error, holds only once the entry has been compared with the log.
 */
export class StateCache {
  /** Used longest ago first. */
  readonly #places = new Map<StreamName, Place>();
  readonly #former = new FormerStreams();

  /** `size` 0 keeps nothing. */
  constructor(private readonly size: number) {}

  get(stream: StreamName): LoadedStream | null {
    const place = this.#places.get(stream);
    if (!place) return null;
    this.#renew(stream, place);
    return place.entry;
  }

  /** Whether its state was here before, or was dropped: the stream is not new, though nothing of it is kept. Seldom wrong there. */
  isFormer(stream: StreamName): boolean {
    return this.#former.has(stream);
  }

  /** An older state never takes the place of a newer one: drop that first where it is not to be trusted. */
  set(stream: StreamName, entry: LoadedStream): void {
    if (this.size === 0) {
      this.#former.add(stream);
      return;
    }
    const place = this.#places.get(stream);
    if (place) {
      if ((place.entry?.version ?? 0) > entry.version) return;
      place.entry = entry;
      this.#renew(stream, place);
      return;
    }
    this.#places.set(stream, new Place(entry));
    if (this.#places.size > this.size) this.#makeRoom();
  }

  /** Several at a time: whoever looks for the first of a map passes all that were deleted before it. */
  #makeRoom(): void {
    let left = Math.ceil(this.size * AT_A_TIME);
    for (const oldest of this.#places.keys()) {
      this.drop(oldest);
      left -= 1;
      if (left === 0) break;
    }
  }

  drop(stream: StreamName): void {
    this.#former.add(stream);
    const place = this.#places.get(stream);
    if (!place) return;
    place.entry = null;
    this.#places.delete(stream);
  }

  /** Not while there is room: who is used by the time it becomes scarce is renewed then. */
  #renew(stream: StreamName, place: Place): void {
    if (this.#places.size < this.size * SCARCE) return;
    this.#places.delete(stream);
    this.#places.set(stream, place);
  }
}

/** Parts of the size. */
const SCARCE = 0.75;
const AT_A_TIME = 1 / 64;

/** What the map holds instead of the states themselves: its former tables live until the old generation is swept. */
class Place {
  constructor(public entry: LoadedStream | null) {}
}
