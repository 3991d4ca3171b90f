import { Random } from '../random.js';
import type { Driver } from '../servers/servers.js';
import type { Strike, StrikeKind } from './strike.js';

/** The processes of a run: who may be struck, and how. */
export const WRITERS = ['writer-1', 'writer-2'] as const;
export const REPLICAS = ['replica-1', 'replica-2'] as const;
export const OPERATOR = 'operator';
export const VISITOR = 'visitor';
/** One of three. */
export const BROKERS = ['broker-0', 'broker-1', 'broker-2'] as const;
const WORKERS = [...WRITERS, ...REPLICAS, OPERATOR];

/** Strikes of a run at most. */
const STRIKES: Readonly<Record<Driver, number>> = { postgres: 16, kafka: 19 };
/** All is healed by then; processes that were killed last have come again. With three brokers to start a run takes longer anyway. */
const OVER_AT_MS: Readonly<Record<Driver, number>> = { postgres: 16_000, kafka: 14_500 };
const PLACES_TRIED = 60;

interface Rule {
  readonly targets: readonly string[];
  /**
   * Two strikes at one target never overlap in a layer: what ends the one would end the other. Of a cluster only one broker is
   * struck at a time: it outlives one of three, not two.
   */
  readonly layers: readonly ('process' | 'wire' | 'database' | 'cluster')[];
  readonly forMs: readonly [number, number];
  readonly size: readonly [number, number];
  /** How many of a run's strikes at most. */
  readonly most: number;
}

const RULES: Readonly<Record<StrikeKind, Rule>> = {
  kill: { targets: WORKERS, layers: ['process'], forMs: [100, 1_500], size: [0, 0], most: 4 },
  // Members are given up after 10 s, and others need a moment to go on in their place. Replicas come twice: it is they who believe in what they own.
  zombie: {
    targets: [...WRITERS, ...REPLICAS, ...REPLICAS, OPERATOR],
    layers: ['process', 'wire'],
    forMs: [12_000, 14_000],
    size: [0, 0],
    most: 2,
  },
  cut: { targets: WORKERS, layers: ['wire'], forMs: [50, 2_500], size: [0, 0], most: 3 },
  'lost-answer': { targets: WORKERS, layers: ['wire'], forMs: [1_000, 3_000], size: [0, 1], most: 4 },
  delay: { targets: WORKERS, layers: ['wire'], forMs: [500, 3_000], size: [5, 120], most: 3 },
  stall: { targets: WORKERS, layers: ['wire'], forMs: [1_000, 14_000], size: [0, 0], most: 2 },
  'half-open': { targets: WORKERS, layers: ['wire'], forMs: [1_000, 5_000], size: [0, 0], most: 2 },
  'database-kill': { targets: ['database'], layers: ['database'], forMs: [100, 1_500], size: [0, 0], most: 2 },
  rebalances: { targets: [VISITOR], layers: ['process'], forMs: [3_000, 4_500], size: [2, 4], most: 2 },
  'clock-jump': { targets: WORKERS, layers: ['process'], forMs: [1_000, 5_000], size: [-7_200_000, 7_200_000], most: 2 },
  'broker-kill': { targets: BROKERS, layers: ['cluster'], forMs: [500, 3_000], size: [0, 0], most: 2 },
  'broker-cut': { targets: BROKERS, layers: ['wire'], forMs: [50, 2_500], size: [0, 0], most: 2 },
  'broker-delay': { targets: BROKERS, layers: ['wire'], forMs: [500, 3_000], size: [5, 120], most: 2 },
  'broker-stall': { targets: BROKERS, layers: ['wire'], forMs: [500, 4_000], size: [0, 0], most: 2 },
  'broker-half-open': { targets: BROKERS, layers: ['wire'], forMs: [1_000, 5_000], size: [0, 0], most: 2 },
  // None: one answer, whose connection stays half-open.
  'broker-lost-answer': { targets: BROKERS, layers: ['wire'], forMs: [1_000, 3_000], size: [0, 3], most: 4 },
};

/** What can be struck where no broker is. */
const KINDS = Object.keys(RULES) as StrikeKind[];
const KINDS_OF: Readonly<Record<Driver, readonly StrikeKind[]>> = {
  postgres: KINDS.filter((kind) => RULES[kind].targets !== BROKERS),
  kafka: KINDS,
};

/** What a strike must have for itself: those that name the same go one after the other, however late the machine makes them. */
export function placesOf({ kind, target }: Pick<Strike, 'kind' | 'target'>): readonly string[] {
  return RULES[kind].layers.map((layer) => (layer === 'cluster' ? layer : `${layer} ${target}`));
}

/** The strikes that a seed means: each kind once where it finds room, then more of them. */
export function schedule(seed: number, driver: Driver): readonly Strike[] {
  const random = new Random(seed, driver, 'schedule');
  const kinds = KINDS_OF[driver];
  // The longest first, or they would find no room.
  const wanted = kinds.toSorted((a, b) => RULES[b].forMs[1] - RULES[a].forMs[1]);
  const strikes: Omit<Strike, 'number'>[] = [];
  for (let tried = 0; strikes.length < STRIKES[driver] && tried < 10 * STRIKES[driver]; tried += 1) {
    const kind = wanted[tried] ?? random.pick(kinds);
    if (strikes.filter((strike) => strike.kind === kind).length >= RULES[kind].most) continue;
    const strike = place(kind, OVER_AT_MS[driver], strikes, random);
    if (strike) strikes.push(strike);
  }
  return strikes.sort((a, b) => a.atMs - b.atMs).map((strike, index) => ({ number: index + 1, ...strike }));
}

function place(
  kind: StrikeKind,
  overAtMs: number,
  taken: readonly Omit<Strike, 'number'>[],
  random: Random,
): Omit<Strike, 'number'> | null {
  const { targets, forMs: lasting, size } = RULES[kind];
  for (let attempt = 0; attempt < PLACES_TRIED; attempt += 1) {
    const forMs = random.between(...lasting);
    const strike = {
      kind,
      target: random.pick(targets),
      atMs: random.between(200, overAtMs - forMs),
      forMs,
      size: random.between(...size),
    };
    const meets = (other: Omit<Strike, 'number'>): boolean =>
      placesOf(other).some((place) => placesOf(strike).includes(place)) &&
      other.atMs < strike.atMs + forMs + SETTLED_MS &&
      strike.atMs < other.atMs + other.forMs + SETTLED_MS;
    if (!taken.some(meets)) return strike;
  }
  return null;
}

/** A process that has just come again is left alone until it works. */
const SETTLED_MS = 1_500;
