import type { Catalogue } from '../prove.js';
import { appendGuards, appendSets } from './appends.js';
import { kafkaGuards, kafkaSets } from './kafka.js';
import { logGuards, logSets } from './log.js';
import { policyGuards, policySets } from './policies.js';
import { projectionGuards } from './projections.js';
import { relayGuards, relaySets } from './relay.js';

/** Every guard that the guarantees rest on. */
export const catalogue: Catalogue = {
  guards: [...appendGuards, ...logGuards, ...projectionGuards, ...policyGuards, ...relayGuards, ...kafkaGuards],
  sets: [...appendSets, ...logSets, ...policySets, ...relaySets, ...kafkaSets],
};
