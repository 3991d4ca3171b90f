import { event, topic, type } from 'nest-kappa';
import type { BenchEvent } from '../append/side.js';
import { PARTITIONS } from './generated-events.js';

export const EVENT_TYPE = 'thing.happened';

export const Happened = event(EVENT_TYPE, type<BenchEvent>());

/** A topic for a generated log; each log of a database has a topic of its own. */
export function generatedTopic(name: string) {
  return topic(name, { partitions: PARTITIONS, events: [Happened] });
}
