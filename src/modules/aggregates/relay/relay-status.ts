import type { Queryable } from '../../../database/database.js';
import type { Offset, TopicName } from '../../../kernel/names.js';
import { partitionKey } from '../../../kernel/position.js';
import type { EventLog } from '../../../log/event-log.js';
import { relayedTopics } from './relayed-topics.js';
import type { Outbox } from './relay.js';
import { RELAY_GROUP } from './relay-record.js';

/** How far one partition is relayed. */
export interface RelayLag {
  readonly topic: TopicName;
  readonly partition: number;
  /** The end of its outbox. */
  readonly appended: Offset;
  /** The end of its topic, in log offsets. */
  readonly relayed: Offset;
  /** Events still to go. */
  readonly behind: number;
  /** When the oldest of them was appended, ISO 8601; null where there is none. */
  readonly waitingSince: string | null;
  /** A running process relays it. */
  readonly owned: boolean;
}

export interface RelayStatusContext {
  readonly database: Queryable;
  readonly outbox: Pick<Outbox, 'offsets'>;
  readonly log: Pick<EventLog, 'offsets' | 'describeTopic'>;
}

const OWNED = `
  select p.partition
  from group_partitions p join group_members m on m.group_name = p.group_name and m.member = p.owner
  where p.group_name = $1 and m.lease_until > clock_timestamp()`;

const OLDEST = `
  select w.topic, w.partition, r.recorded_at
  from unnest($1::text[], $2::int[], $3::bigint[]) as w (topic, partition, next)
  join topics t on t.name = w.topic
  cross join lateral (
    select l.recorded_at from log_records l
    where l.topic_id = t.id and l.partition = w.partition and l."offset" >= w.next
    order by l."offset" limit 1
  ) r`;

/** Every partition that is relayed, and how far it is. */
export async function relayStatus({ database, outbox, log }: RelayStatusContext): Promise<readonly RelayLag[]> {
  const { rows } = await database.query<{ partition: number }>(OWNED, [RELAY_GROUP]);
  const owned = new Set(rows.map(({ partition }) => partition));
  const lags: Omit<RelayLag, 'waitingSince'>[] = [];
  for (const topic of await relayedTopics(database)) {
    // The log first: what is appended meanwhile then counts as still to go, and nothing is ever ahead.
    const relayed = (await log.describeTopic(topic)) ? await log.offsets(topic) : [];
    for (const { partition, end } of await outbox.offsets(topic)) {
      const reached = relayed[partition]?.end ?? (0 as Offset);
      lags.push({ topic, partition, appended: end, relayed: reached, behind: end - reached, owned: owned.has(partition) });
    }
  }
  const oldest = await oldestWaiting(database, lags);
  return lags.map((lag) => ({ ...lag, waitingSince: oldest.get(partitionKey(lag.topic, lag.partition)) ?? null }));
}

async function oldestWaiting(
  database: Queryable,
  lags: readonly Pick<RelayLag, 'topic' | 'partition' | 'relayed' | 'behind'>[],
): Promise<ReadonlyMap<string, string>> {
  const behind = lags.filter(({ behind: events }) => events > 0);
  if (behind.length === 0) return new Map();
  const { rows } = await database.query<{ topic: string; partition: number; recorded_at: string }>(OLDEST, [
    behind.map(({ topic }) => topic),
    behind.map(({ partition }) => partition),
    behind.map(({ relayed }) => relayed),
  ]);
  return new Map(rows.map(({ topic, partition, recorded_at }) => [partitionKey(topic, partition), recorded_at]));
}
