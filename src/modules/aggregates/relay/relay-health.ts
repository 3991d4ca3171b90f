import type { PartitionRelayStatus, RelayHealth } from './relay-state.js';

export interface RelayFacts {
  readonly driver: string;
  /** Null: not started, or stopped. */
  readonly startedAt: Date | null;
  readonly databaseError: { readonly message: string; readonly since: Date } | null;
  readonly partitions: readonly PartitionRelayStatus[];
}

/** The worst that is known of a relay, for a health check: what needs somebody first, then what is away. */
export function describeHealth({ driver, startedAt, databaseError, partitions }: RelayFacts): RelayHealth {
  if (startedAt === null) return { state: 'stopped', since: new Date(0), text: 'stopped', partitions };
  const failed = earliest(partitions, 'failed');
  if (failed) {
    const text = `${failed.topic}/${failed.partition} failed at ${failed.since.toISOString()}: ${failed.error ?? ''}`;
    return { state: 'failed', since: failed.since, text, partitions };
  }
  if (databaseError) {
    const text = `waiting for the database since ${databaseError.since.toISOString()}: ${databaseError.message}`;
    return { state: 'waiting-for-database', since: databaseError.since, text, partitions };
  }
  const waiting = earliest(partitions, 'waiting');
  if (waiting) {
    const text = `waiting for ${driver} since ${waiting.since.toISOString()}: ${waiting.error ?? ''}`;
    return { state: 'waiting-for-log', since: waiting.since, text, partitions };
  }
  return { state: 'relaying', since: startedAt, text: `relaying ${partitions.length} partitions`, partitions };
}

function earliest(
  partitions: readonly PartitionRelayStatus[],
  state: PartitionRelayStatus['state'],
): PartitionRelayStatus | null {
  const found = partitions.filter((one) => one.state === state).sort((a, b) => a.since.getTime() - b.since.getTime());
  return found[0] ?? null;
}
