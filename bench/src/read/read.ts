import { roundsOf, type Bench, type BenchSettings } from '../bench.js';
import { runPart, startPart } from '../part.js';
import { compared, type BenchResult } from '../result.js';
import { startServers } from '../servers.js';
import type { AdapterName } from './adapters.js';
import type { BarePart } from './bare.process.js';
import type { FillPart, FillReport } from './fill.process.js';
import { Load } from './load.js';
import type { OursPart, ServedReport } from './ours.process.js';

const ROWS = 20_000;
const QUICK_ROWS = 5_000;
const SECONDS = 5;
const QUICK_SECONDS = 2;
const CONNECTIONS = [1, 32];
const ADAPTERS: readonly AdapterName[] = ['express', 'fastify'];

/** One row by its key over REST, beside a handler written by hand for this one table on the same adapter. */
export const read: Bench = {
  logs: ['postgres'],
  run: async (settings) => {
    const { databaseUrl, environment, stop } = await startServers('postgres');
    try {
      const rows = settings.quick ? QUICK_ROWS : ROWS;
      const stamp = await runPart<FillPart, FillReport>(new URL('./fill.process.js', import.meta.url), { databaseUrl, rows });
      const results: BenchResult[] = [];
      for (const adapter of ADAPTERS) results.push(...(await onAdapter(adapter, databaseUrl, stamp, rows, settings)));
      return { environment, results };
    } finally {
      await stop();
    }
  },
};

async function onAdapter(
  adapter: AdapterName,
  databaseUrl: string,
  stamp: FillReport,
  rows: number,
  settings: BenchSettings,
): Promise<BenchResult[]> {
  const ours = await startPart<OursPart, ServedReport>(new URL('./ours.process.js', import.meta.url), { databaseUrl, adapter });
  const bare = await startPart<BarePart, ServedReport>(new URL('./bare.process.js', import.meta.url), {
    databaseUrl,
    adapter,
    stamp,
  });
  try {
    const expected = await sameAnswers(ours.report.url, bare.report.url, rows);
    const results: BenchResult[] = [];
    for (const connections of CONNECTIONS) {
      const runs = await inTurn(ours.report.url, bare.report.url, connections, expected, settings);
      results.push(
        compared(
          {
            bench: 'read',
            case: `one row by key over REST on ${adapter}, ${connections} kept-alive ${connections === 1 ? 'connection' : 'connections'}`,
            unit: 'requests/s',
            against: `bare ${adapter} handler with one prepared query by a pool of pg`,
            atLeast: 0.8,
            aim: 0.95,
          },
          runs,
        ),
      );
    }
    return results;
  } finally {
    await ours.stop();
    await bare.stop();
  }
}

/** Every row of both sides, byte for byte the same; this warms both up as well. */
async function sameAnswers(ours: string, bare: string, rows: number): Promise<readonly Buffer[]> {
  const own = await allRows(ours, rows);
  const other = await allRows(bare, rows);
  for (const [row, body] of own.entries())
    if (!other[row]?.equals(body))
      throw new Error(`two answers for one row: ours ${body.toString()}, bare ${other[row]?.toString() ?? 'nothing'}`);
  return own;
}

async function allRows(url: string, rows: number): Promise<readonly Buffer[]> {
  const load = await Load.open(url, Math.max(...CONNECTIONS));
  try {
    return await load.all(rows);
  } finally {
    load.close();
  }
}

async function inTurn(
  ours: string,
  bare: string,
  connections: number,
  expected: readonly Buffer[],
  settings: BenchSettings,
): Promise<BenchResult['runs']> {
  const seconds = settings.quick ? QUICK_SECONDS : SECONDS;
  const own = await Load.open(ours, connections);
  const other = await Load.open(bare, connections);
  try {
    const runs: { readonly ours: number[]; readonly theirs: number[] } = { ours: [], theirs: [] };
    for (let round = 0; round < roundsOf(settings); round += 1) {
      runs.ours.push(await own.requestsPerSecond(expected, seconds));
      runs.theirs.push(await other.requestsPerSecond(expected, seconds));
    }
    return runs;
  } finally {
    own.close();
    other.close();
  }
}
