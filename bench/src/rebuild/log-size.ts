import type { BenchSettings } from '../bench.js';

const EVENTS = 1_000_000;
const QUICK_EVENTS = 500_000;

/** Events of a generated log. */
export function eventsOf({ quick }: BenchSettings): number {
  return quick ? QUICK_EVENTS : EVENTS;
}
