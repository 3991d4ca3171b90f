/** Which stream a write goes to, in the same order for every side. */
export interface Streams {
  readonly words: string;
  /** A fresh walk over the streams; `run` keeps those of one walk apart from those of another. */
  walk(run: string): () => string;
}

/** 1,000 streams of which few take most of the writes (Zipf, exponent 1). */
export const HOT: Streams = {
  words: '1,000 hot streams (Zipf)',
  walk: (run) => {
    const random = randomFrom(1);
    const bounds = cumulated(Array.from({ length: 1_000 }, (_, rank) => 1 / (rank + 1)));
    return () => {
      const drawn = random() * (bounds.at(-1) ?? 1);
      return `${run}-${firstAbove(bounds, drawn)}`;
    };
  },
};

/** 100,000 streams, each as likely as the other. */
export const COLD: Streams = {
  words: '100,000 cold streams (uniform)',
  walk: (run) => {
    const random = randomFrom(2);
    return () => `${run}-${Math.floor(random() * 100_000)}`;
  },
};

function cumulated(weights: readonly number[]): readonly number[] {
  let sum = 0;
  return weights.map((weight) => (sum += weight));
}

function firstAbove(bounds: readonly number[], wanted: number): number {
  let [low, high] = [0, bounds.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((bounds[middle] ?? 0) > wanted) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The same numbers in every run (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
