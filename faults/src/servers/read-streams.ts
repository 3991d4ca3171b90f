import pg from 'pg';
import type { LoggedEvent } from '../check/evidence.js';

/** Past the framework on purpose: what stands in the table is what was appended. */
const STREAMS = `
  select t.name as topic, r.partition, r."offset"::float8 as "offset", r.stream, r.version, r.key,
    r.headers, convert_from(r.value, 'UTF8') as value
  from kappa.log_records r join kappa.topics t on t.id = r.topic_id
  where r.stream is not null
  order by t.name, r.partition, r."offset"`;

interface StreamRow {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly stream: string;
  readonly version: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly value: string;
}

/** Every event that commands appended. */
export async function readStreams(url: string): Promise<readonly LoggedEvent[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<StreamRow>(STREAMS);
    return rows.map(({ topic, partition, offset, stream, version, headers, value }) => ({
      topic,
      partition,
      offset,
      stream,
      version,
      eventId: headers['ce_id'] ?? '',
      type: headers['ce_type'] ?? '',
      // A cause that is the correlation, too, is written once.
      commandId: headers['ce_causationid'] ?? headers['ce_correlationid'] ?? '',
      data: JSON.parse(value) as Readonly<Record<string, unknown>>,
    }));
  } finally {
    await client.end();
  }
}
