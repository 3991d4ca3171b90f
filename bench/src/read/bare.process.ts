import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import pg from 'pg';
import { holdPart } from '../part.js';
import { bareFastify, type AdapterName } from './adapters.js';
import type { FillReport } from './fill.process.js';
import type { ServedReport } from './ours.process.js';

export interface BarePart {
  readonly databaseUrl: string;
  readonly adapter: AdapterName;
  /** What answers bear beside the row, so that they are of the same bytes; looked up nowhere. */
  readonly stamp: FillReport;
}

interface Side {
  readonly report: ServedReport;
  stop(): Promise<void>;
}

type Answer = (id: string) => Promise<object | null>;

const ROW = `
select id, state, amount, payments, text, "changedAt" from bench.items where id = $1`;

/** A handler without a framework above its adapter: one prepared query by a pool, the row as JSON. */
holdPart(async ({ databaseUrl, adapter, stamp }: BarePart) => {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 10 });
  const answer: Answer = async (id) => {
    const { rows } = await pool.query<object>({ name: 'row', text: ROW, values: [id] });
    return rows[0] ? { data: rows[0], ...stamp } : null;
  };
  const { report, stop } = await (adapter === 'express' ? onExpress(answer) : onFastify(answer));
  return {
    report,
    stop: async () => {
      await stop();
      await pool.end();
    },
  };
});

async function onExpress(answer: Answer): Promise<Side> {
  const app = express();
  app.get('/items/:id', async (request, response) => {
    const found = await answer(request.params.id);
    response.status(found ? 200 : 404).json(found ?? {});
  });
  const server = createServer(app as never).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    report: { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/items/` },
    stop: async () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

async function onFastify(answer: Answer): Promise<Side> {
  const app = await bareFastify();
  app.get('/items/:id', async (request, reply) => {
    const found = await answer(request.params.id);
    return reply.code(found ? 200 : 404).send(found ?? {});
  });
  const url = await app.listen({ port: 0, host: '127.0.0.1' });
  return { report: { url: `${url}/items/` }, stop: () => app.close() };
}
