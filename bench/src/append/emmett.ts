import pg from 'pg';
import { installPeers } from '../install-peers.js';
import { peerPool } from './peer-pool.js';
import type { AppendSide, BenchEvent } from './side.js';

/** What is used of the package, which is there only once something is measured against it. */
interface Emmett {
  getPostgreSQLEventStore(
    url: string,
    options: { readonly connectionOptions?: { readonly pool: pg.Pool } },
  ): {
    readonly schema: { migrate(): Promise<unknown> };
    appendToStream(stream: string, events: readonly { readonly type: string; readonly data: BenchEvent }[]): Promise<unknown>;
    close(): Promise<void>;
  };
}

const PACKAGE = '@event-driven-io/emmett-postgresql';

/**
 * Emmett as its documentation has it (`getPostgreSQLEventStore`, `appendToStream`), over the pool that it makes by itself, or
 * over one of as many connections as there are writers.
 */
export async function emmett(url: string, connections: number | null): Promise<AppendSide> {
  const own = new URL(url);
  own.searchParams.set('application_name', 'bench-emmett');
  const pool = connections === null ? null : peerPool(own.href, connections);
  await installPeers();
  const { getPostgreSQLEventStore } = (await import(PACKAGE)) as Emmett;
  const store = getPostgreSQLEventStore(own.href, pool ? { connectionOptions: { pool } } : {});
  await store.schema.migrate();
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  return {
    append: async (stream, events) => {
      const own = events.map((data) => ({ type: 'thing.happened', data }));
      for (;;) {
        try {
          await store.appendToStream(stream, own);
          return;
        } catch (error) {
          // Somebody else wrote to the stream at that moment: its own command handler tries again as well.
          if (!String(error).includes('Expected version')) throw error;
        }
      }
    },
    count: async () => Number((await client.query<{ n: string }>('select count(*) as n from emt_messages')).rows[0]?.n),
    close: async () => {
      await store.close();
      await pool?.end();
      await client.end();
    },
  };
}
