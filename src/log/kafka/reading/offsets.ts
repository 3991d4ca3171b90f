import type { Offset } from '../../../kernel/names.js';
import type { LogRecord } from '../../../kernel/record.js';
import type { PartitionOffsets } from '../../event-log.js';
import { logOffsetOf, type LogTopic } from '../log-topic.js';
import { allOf, readBounds, readOffsets } from '../partition-bounds.js';
import type { Cluster } from '../wire/cluster.js';
import { byLeader, fetchPlaces } from './fetch-places.js';
import { RelayedOffsets } from './relayed-offsets.js';

const ROLE = 'offsets';
const LOOK_BYTES = 256 * 1024;

/** Begin and end of each partition, in log offsets. */
export async function partitionOffsets(cluster: Cluster, topic: LogTopic): Promise<readonly PartitionOffsets[]> {
  if (!topic.relayed) {
    const bounds = await readBounds(cluster, topic);
    return allOf(topic).map((partition) => ({
      partition,
      begin: (bounds.get(partition)?.begin ?? 0) as Offset,
      end: (bounds.get(partition)?.end ?? 0) as Offset,
    }));
  }
  const relayed = new RelayedOffsets(cluster, ROLE);
  return Promise.all(
    allOf(topic).map(async (partition) => {
      const { begin, end } = await relayed.bounds(topic, partition);
      return { partition, begin: begin as Offset, end: end as Offset };
    }),
  );
}

/** The first record of each partition that was appended at or after this time, as its log offset; the end where there is none. */
export async function offsetsAtTime(cluster: Cluster, topic: LogTopic, timestampMs: number): Promise<readonly Offset[]> {
  const starts = await readOffsets(cluster, topic, allOf(topic), timestampMs);
  const ends = await partitionOffsets(cluster, topic);
  return Promise.all(
    allOf(topic).map(async (partition) => {
      const start = starts.get(partition) ?? -1;
      // What the broker names may be a marker, or a record that was aborted.
      const record = start < 0 ? null : await firstSince(cluster, topic, partition, start, timestampMs);
      if (!record) return ends[partition]?.end ?? (0 as Offset);
      return topic.relayed ? (logOffsetOf(record, record.offset) as Offset) : record.offset;
    }),
  );
}

async function firstSince(
  cluster: Cluster,
  topic: LogTopic,
  partition: number,
  from: number,
  timestampMs: number,
): Promise<LogRecord | null> {
  for (let offset = from; ;) {
    const place = { topic, partition, offset };
    const fetched = await cluster.retry(`looking up a time in ${topic.name}/${partition}`, async () => {
      const [led] = await byLeader(cluster, [place]);
      if (!led) return undefined;
      const limits = { maxWaitMs: 0, partitionBytes: LOOK_BYTES, totalBytes: LOOK_BYTES };
      return (await fetchPlaces(cluster, led[0], ROLE, led[1], limits))[0];
    });
    const found = fetched?.records.find(({ timestampUs }) => timestampUs >= timestampMs * 1000);
    if (found) return found;
    if (!fetched || fetched.next <= offset) return null;
    offset = fetched.next;
  }
}
