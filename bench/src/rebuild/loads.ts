import type { GeneratedOptions } from '../generated-log/generated-events.js';

export interface Load {
  readonly topic: string;
  readonly words: string;
  readonly streams: number;
  readonly spread: GeneratedOptions['spread'];
}

/** The generated logs that are rebuilt, each in a topic of its own. */
export const LOADS: readonly Load[] = [
  { topic: 'hot', words: '1,000 hot streams (Zipf)', streams: 1_000, spread: 'zipf' },
  { topic: 'cold', words: '100,000 cold streams (uniform)', streams: 100_000, spread: 'uniform' },
];
