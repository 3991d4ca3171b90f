import { roundsOf, type Bench, type LogName } from '../bench.js';
import { runPart } from '../part.js';
import { comparedAtMost, type BenchResult } from '../result.js';
import { startServers, type Servers } from '../servers.js';
import type { LatencyFigures, LatencyPart } from './load.js';

const RATES = [50, 500, 2_000];
const SECONDS = 10;
const QUICK_SECONDS = 4;
/** The default of a topic. */
const PARTITIONS = 8;

interface Bound {
  readonly atLeast: number;
  readonly aim: number;
}

type Figure = 'p50' | 'p99';

/** At most so many times what the bare loop takes; a case without a bound is shown all the same. */
const BOUNDS: Readonly<Record<LogName, (rate: number, figure: Figure) => Bound | null>> = {
  kafka: (rate) => ({ atLeast: rate >= 2_000 ? 1.3 : 1.5, aim: 1 }),
  postgres: (rate, figure) => (rate === 500 && figure === 'p99' ? { atLeast: 1.5, aim: 1 } : null),
};

const AGAINST: Readonly<Record<LogName, string>> = {
  kafka: 'bare loop (insert, kafkajs transaction, read_committed consumer, upsert) with as many partitions and processes',
  postgres: 'bare loop (insert, poll, upsert) in one process',
};

/** From append to the row being visible, beside a loop written by hand for this one table. See `measure` for what is counted. */
export const latency: Bench = {
  logs: ['postgres', 'kafka'],
  run: async (settings) => {
    const servers = await startServers(settings.log);
    try {
      const seconds = settings.quick ? QUICK_SECONDS : SECONDS;
      const runs: { readonly ours: LatencyFigures[][]; readonly theirs: LatencyFigures[][] } = { ours: [], theirs: [] };
      for (let round = 0; round < roundsOf(settings); round += 1) {
        runs.ours.push(await measured('ours', servers, round, seconds));
        runs.theirs.push(await measured(`loop-on-${settings.log}`, servers, round, seconds));
      }
      return { environment: servers.environment, results: resultsOf(settings.log, runs) };
    } finally {
      await servers.stop();
    }
  },
};

async function measured(
  side: 'ours' | `loop-on-${LogName}`,
  { databaseUrl, brokers }: Servers,
  round: number,
  seconds: number,
): Promise<LatencyFigures[]> {
  const figures = await runPart<LatencyPart, LatencyFigures[]>(new URL(`./${side}.process.js`, import.meta.url), {
    databaseUrl,
    brokers,
    run: `run-${round}`,
    partitions: PARTITIONS,
    rates: RATES,
    seconds,
  });
  const words = figures.map(({ rate, p50, p99 }) => `${rate}/s ${p50.toFixed(1)} / ${p99.toFixed(1)}`);
  console.log(`round ${round + 1}, ${side}: p50 / p99 in ms: ${words.join(', ')}`);
  return figures;
}

function resultsOf(
  log: LogName,
  runs: { readonly ours: readonly LatencyFigures[][]; readonly theirs: readonly LatencyFigures[][] },
): BenchResult[] {
  return RATES.flatMap((rate, index) =>
    (['p50', 'p99'] as const).map((figure) => {
      const of = (side: readonly LatencyFigures[][]): number[] => side.map((figures) => figures[index]?.[figure] ?? Number.NaN);
      const bound = BOUNDS[log](rate, figure);
      return comparedAtMost(
        {
          bench: 'latency',
          case: `${figure} from append to visible, log ${log}, ${rate.toLocaleString('en')} events/s, ${PARTITIONS} partitions`,
          unit: 'ms',
          against: AGAINST[log],
          atLeast: bound?.atLeast ?? null,
          aim: bound?.aim ?? null,
        },
        { ours: of(runs.ours), theirs: of(runs.theirs) },
      );
    }),
  );
}
