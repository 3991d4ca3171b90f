import type { Database } from 'nest-kappa';
import { from as copyFrom } from 'pg-copy-streams';
import { benchEvent } from '../append/side.js';
import { CopyWriter } from './copy-writer.js';
import { generatedEvents, PARTITIONS, type GeneratedEvent, type GeneratedOptions } from './generated-events.js';
import { EVENT_TYPE } from './generated-topic.js';

const COLUMNS = [
  '"offset"',
  'recorded_at',
  'topic_id',
  'partition',
  'version',
  'key',
  'value',
  'headers',
  'event_type',
  'stream',
];

/** Events of one COPY, which is a transaction. */
const BATCH_EVENTS = 250_000;

/**
 * Loads a generated log into a topic that has no records yet, past the append: what stands in the log afterwards is what the
 * append of an aggregate would have written that is named as the topic is, but for the ids of commands, which nobody repeats.
 * Memory is bounded.
 * @throws when the topic has records
 */
export async function loadGenerated(database: Database, topic: string, options: GeneratedOptions): Promise<void> {
  const topicId = await createTopic(database, topic);
  const events = generatedEvents(options);
  for (let left = options.events; left > 0; left -= BATCH_EVENTS) {
    const connection = await database.connect();
    try {
      const copy = connection.raw.query(copyFrom(`copy log_records (${COLUMNS.join(', ')}) from stdin (format binary)`));
      const writer = new CopyWriter(copy);
      for (let count = Math.min(left, BATCH_EVENTS); count > 0; count -= 1) {
        writeRow(writer, topicId, topic, events.next().value as GeneratedEvent);
        if (writer.isFull) await writer.send();
      }
      await writer.end();
    } finally {
      connection.release();
    }
  }
  // What autovacuum would have done by the time that somebody rebuilds.
  await database.query('vacuum analyze log_records');
}

async function createTopic(database: Database, topic: string): Promise<number> {
  const { rows } = await database.query<{ id: number; filled: boolean }>(
    `with made as (insert into topics (name, partitions) values ($1, $2) on conflict (name) do nothing returning id)
     select t.id, exists (select from log_records r where r.topic_id = t.id) as filled
     from (select id from made union all select id from topics where name = $1) t`,
    [topic, PARTITIONS],
  );
  const [found] = rows;
  if (!found || found.filled) throw new Error(`the topic ${topic} has records already`);
  return found.id;
}

function writeRow(writer: CopyWriter, topicId: number, aggregate: string, event: GeneratedEvent): void {
  writer.row(COLUMNS.length);
  writer.int8(event.offset);
  writer.timestamp(event.atMs);
  writer.int4(topicId);
  writer.int4(event.partition);
  writer.int4(event.version);
  writer.text(event.streamId);
  writer.text(JSON.stringify(benchEvent(event.n)));
  writer.text(headersOf(aggregate, event));
  writer.text(EVENT_TYPE);
  writer.text(`/${aggregate}/${event.streamId}`);
}

/** What the append keeps of the headers. */
function headersOf(aggregate: string, { n, atMs }: GeneratedEvent): string {
  const number = n.toString(16).padStart(12, '0');
  return JSON.stringify({
    ce_id: `00000000-0000-4000-8000-${number}`,
    ce_type: EVENT_TYPE,
    ce_source: `/${aggregate}`,
    ce_time: new Date(atMs).toISOString(),
    ce_correlationid: `00000000-0000-4000-9000-${number}`,
  });
}
