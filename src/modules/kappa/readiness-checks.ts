import type { Database } from '../../database/database.js';
import type { EventLog } from '../../log/event-log.js';
import type { RelayHealth } from '../aggregates/relay/relay-state.js';
import type { ReadinessCheck } from '../operations/health/health-checks.js';
import type { ResolvedOptions } from './options-check.js';

/** What readiness asks of. */
export interface ReadinessParts {
  readonly database: Pick<Database, 'query'>;
  readonly log: Pick<EventLog, 'driver' | 'offsets' | 'listTopics'>;
  readonly projections: { readonly halted: readonly string[] };
  readonly policies: { readonly halted: readonly string[] };
  /** Null where this process relays nothing. */
  readonly relay: { readonly health: RelayHealth } | null;
}

/** Database and log, and those engines that this process runs. */
export function readinessChecks(parts: ReadinessParts, { run, definitions }: ResolvedOptions): readonly ReadinessCheck[] {
  const { database, log, projections, policies, relay } = parts;
  const [topic] = definitions.topics;
  return [
    {
      name: 'the database',
      check: async () => {
        await database.query('select 1');
        return [];
      },
    },
    {
      name: `the log (${log.driver})`,
      check: async () => {
        // Its identity may be known by heart; offsets are asked for anew.
        if (topic) await log.offsets(topic.name);
        else await log.listTopics();
        return [];
      },
    },
    ...(relay ? [{ name: 'the relay', check: async () => relayReasons(relay.health) }] : []),
    ...(run.projections ? [{ name: 'projections', check: async () => projections.halted }] : []),
    ...(run.policies ? [{ name: 'policies', check: async () => policies.halted }] : []),
  ];
}

/** A relay that waits goes on by itself; commands are taken meanwhile, but nothing of them is seen. */
export function relayReasons({ state, text }: RelayHealth): readonly string[] {
  if (state === 'relaying' || state === 'stopped') return [];
  return [`the relay: ${text}`];
}
