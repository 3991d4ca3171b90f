import type { Database } from '../../database/database.js';
import { partitionKey, type PartitionKey } from '../../kernel/position.js';
import type { StoredTopic, TopicCatalog } from './topic-catalog.js';

/** Rows of one statement: a fraction of a second even with large records, so that no snapshot grows old. */
const REMOVE_AT_ONCE = 2_000;
const MEASURE_AT_ONCE = 20_000;

const REMOVE = `select remove_oldest($1, $2, clock_timestamp() - $3::float8 * interval '1 ms', $4, $5) as removed`;

/** The bytes of the next records from an offset on, and what retention has removed so far, in one snapshot. */
const MEASURE = `
  select coalesce(b.begin_offset, 0) as begin, coalesce(b.removed_bytes, 0) as removed, p.bytes, p.next
  from (values ($1::int, $2::int)) w (topic_id, partition)
  left join partition_begins b using (topic_id, partition)
  cross join lateral (
    select coalesce(sum(record_bytes(r)), 0)::bigint as bytes, max(r."offset") + 1 as next
    from (
      select * from log_records l
      where l.topic_id = w.topic_id and l.partition = w.partition and l."offset" >= $3
      order by l."offset" limit $4
    ) r
  ) p`;

/** All bytes that a partition has held up to `next`, those included that it has lost. */
interface Measured {
  readonly next: number;
  readonly bytes: number;
}

/** Removes the oldest records of topics that allow it, in bounded batches. */
export class RetentionKeeper {
  readonly #measured = new Map<PartitionKey, Measured>();

  constructor(
    private readonly database: Database,
    private readonly topics: TopicCatalog,
  ) {}

  /** Returns how many records were removed. Several processes may do this at once. */
  async enforce(signal?: AbortSignal): Promise<number> {
    let removed = 0;
    for (const topic of await this.topics.list()) {
      if (topic.retention === null) continue;
      for (let partition = 0; partition < topic.partitions; partition++) {
        if (signal?.aborted) return removed;
        removed += await this.#enforcePartition(topic, partition, signal);
      }
    }
    return removed;
  }

  async #enforcePartition(topic: StoredTopic, partition: number, signal: AbortSignal | undefined): Promise<number> {
    const { ms = null, bytes = null } = topic.retention ?? {};
    let removed = 0;
    for (;;) {
      const loseBytes = bytes === null ? 0 : (await this.#bytesSoFar(topic, partition, signal)) - bytes;
      const { rows } = await this.database.query<{ removed: number }>(REMOVE, [
        topic.id,
        partition,
        ms,
        Math.max(0, loseBytes),
        REMOVE_AT_ONCE,
      ]);
      const now = rows[0]?.removed ?? 0;
      removed += now;
      if (now < REMOVE_AT_ONCE || signal?.aborted) return removed;
    }
  }

  /**
   * All bytes that the partition has ever held, as far as they were counted: what is there and what it has lost. Only what was
   * appended since the last look is measured.
   */
  async #bytesSoFar(topic: StoredTopic, partition: number, signal: AbortSignal | undefined): Promise<number> {
    const key = partitionKey(topic.name, partition);
    for (;;) {
      const known = this.#measured.get(key);
      const { rows } = await this.database.query<{ begin: number; removed: number; bytes: number; next: number | null }>(
        MEASURE,
        [topic.id, partition, known?.next ?? 0, MEASURE_AT_ONCE],
      );
      const page = rows[0];
      if (!page) return 0;
      // Removed by another process before it was measured here: what was counted does not add up any more.
      if (known && known.next < page.begin) {
        this.#measured.delete(key);
        continue;
      }
      const bytes = (known?.bytes ?? page.removed) + page.bytes;
      this.#measured.set(key, { next: page.next ?? known?.next ?? page.begin, bytes });
      if (page.next === null || signal?.aborted) return bytes;
    }
  }
}
