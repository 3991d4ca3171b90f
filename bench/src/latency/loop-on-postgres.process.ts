import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { playPart } from '../part.js';
import { measure, type LatencyPart } from './load.js';
import { CREATE_ROWS, ROWS, UPSERT, upsertOf, type Counted } from './loop-table.js';

/** Each insert is a transaction, whose number orders it; a poll reads below the oldest one under way, so that it passes none. */
const CREATE = `
${CREATE_ROWS};
create table if not exists bench.events (xid xid8 primary key default pg_current_xact_id(), value text not null)`;
const INSERT = 'insert into bench.events (value) values ($1)';
/** In the order of numbers: `order by xid` alone would be that of their texts, in which 100000 comes before 99999. */
const POLL = `
select e.xid::text, e.value from bench.events e where e.xid > $1::xid8 and e.xid < pg_snapshot_xmin(pg_current_snapshot())
order by e.xid limit 5000`;
const EMPTY_POLL_MS = 1;

/** What one writes by hand without Kafka: a plain insert, a poll every millisecond, a multi-row upsert with its checkpoint. */
playPart(async (part: LatencyPart) => {
  const pool = new pg.Pool({ connectionString: part.databaseUrl, max: 10 });
  await pool.query(CREATE);
  const { rows } = await pool.query<{ next: string }>('select pg_current_xact_id()::text as next');
  const stopping = new AbortController();
  const looping = loop(pool, part.run, rows[0]?.next ?? '0', stopping.signal);
  const side = {
    table: ROWS,
    append: (id: string, seq: number, text: string) =>
      pool.query({ name: 'insert', text: INSERT, values: [JSON.stringify({ id, seq, text })] }),
    stop: async () => {
      stopping.abort();
      await looping;
      await pool.end();
    },
  };
  try {
    return await measure(side, part);
  } finally {
    await side.stop();
  }
});

async function loop(pool: pg.Pool, run: string, from: string, signal: AbortSignal): Promise<void> {
  for (let next = from; !signal.aborted;) {
    const { rows } = await pool.query<{ xid: string; value: string }>({ name: 'poll', text: POLL, values: [next] });
    const last = rows.at(-1);
    if (!last) {
      await sleep(EMPTY_POLL_MS);
      continue;
    }
    next = last.xid;
    const events = rows.map(({ value }) => JSON.parse(value) as Counted);
    await pool.query({ name: 'upsert', text: UPSERT, values: [...upsertOf(run, 0, next, events)] });
  }
}
