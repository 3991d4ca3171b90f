import { murmur2OfText } from '../../kernel/partitioner.js';
import type { StreamName } from '../../kernel/names.js';

/** Two sets of them take some 5 MB. */
const GENERATION = 131_072;

/**
 * Streams that were once in memory: at least the last 131,072 that were added. Kept as hashes of 32 bits, so that one in some
 * twenty thousand others is taken for one of them.
 */
export class FormerStreams {
  #young = new Set<number>();
  #old = new Set<number>();

  add(stream: StreamName): void {
    if (this.#young.size >= GENERATION) {
      this.#old = this.#young;
      this.#young = new Set();
    }
    this.#young.add(hashOf(stream));
  }

  /** Whether it was added; may be wrong where it says so. */
  has(stream: StreamName): boolean {
    if (this.#young.size === 0) return false;
    const hash = hashOf(stream);
    return this.#young.has(hash) || this.#old.has(hash);
  }
}

function hashOf(stream: StreamName): number {
  return murmur2OfText(stream);
}
