import { uniform, zipf } from '../random.js';

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
    const next = zipf(1_000, 1);
    return () => `${run}-${next()}`;
  },
};

/** 100,000 streams, each as likely as the other. */
export const COLD: Streams = {
  words: '100,000 cold streams (uniform)',
  walk: (run) => {
    const next = uniform(100_000, 2);
    return () => `${run}-${next()}`;
  },
};
