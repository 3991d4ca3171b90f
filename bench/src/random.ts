/** The same numbers from 0 to 1 in every run (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Whole numbers below `count`, of which few come most of the time: Zipf with exponent 1, 0 the most likely. */
export function zipf(count: number, seed: number): () => number {
  const random = randomFrom(seed);
  const bounds = cumulated(Array.from({ length: count }, (_, rank) => 1 / (rank + 1)));
  const whole = bounds.at(-1) ?? 1;
  return () => firstAbove(bounds, random() * whole);
}

/** Whole numbers below `count`, each as likely as the other. */
export function uniform(count: number, seed: number): () => number {
  const random = randomFrom(seed);
  return () => Math.floor(random() * count);
}

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
