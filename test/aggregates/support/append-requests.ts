import type { Database } from '../../../src/database/database.js';
import { streamKey, streamName } from '../../../src/kernel/names.js';
import { partitionOf } from '../../../src/kernel/partitioner.js';
import { partitionKey } from '../../../src/kernel/position.js';
import type { AnyTopic } from '../../../src/kernel/topic.js';
import { AppendFate } from '../../../src/modules/aggregates/append-fate.js';
import type { AppendRequest } from '../../../src/modules/aggregates/append-request.js';
import { counters } from './counter.js';

export type Given = Partial<AppendRequest> & { readonly id: string; readonly count?: number };

/** Makes appends of `counter` streams as an executor would, or of another aggregate's. */
export async function requests(
  database: Database,
  aggregate = 'counter',
  topic: Pick<AnyTopic, 'name' | 'partitions'> = counters,
): Promise<(given: Given) => AppendRequest> {
  const { rows } = await database.query<{ id: number }>('select id from topics where name = $1', [topic.name]);
  const topicId = rows[0]?.id ?? 0;
  let made = 0;
  return ({ id, count = 1, tenant = null, ...given }) => {
    const key = streamKey(tenant, id);
    const partition = partitionOf(key, topic.partitions);
    const value = Buffer.from(JSON.stringify({ n: 1 }));
    const headers = { ce_type: 'counter.added' };
    const storedHeaders = JSON.stringify(headers);
    return {
      stream: streamName({ tenant, aggregate, id }),
      key,
      tenant,
      topic: topic.name,
      topicId,
      partition,
      partitionKey: partitionKey(topic.name, partition),
      commandId: `command-${(made += 1)}`,
      contentHash: 'hash',
      expectedVersion: 0,
      events: Array.from({ length: count }, () => ({ type: 'counter.added', value, headers, storedHeaders })),
      claims: [],
      bytes: 100 * count,
      fate: new AppendFate(),
      ...given,
    };
  };
}

/** An id of a stream in the wanted partition: `name-0`, `name-1` … */
export function idIn(partition: number, name: string): string {
  for (let n = 0; ; n += 1) if (partitionOf(`${name}-${n}`, counters.partitions) === partition) return `${name}-${n}`;
}
