import { appendFor, type Load } from '../append/append-for.js';
import { APPEND_TOPIC, ours as appendOurs } from '../append/ours.js';
import { COLD } from '../append/streams.js';
import { roundsOf, type Bench, type BenchSettings } from '../bench.js';
import { loadGenerated } from '../generated-log/load-generated.js';
import { runPart } from '../part.js';
import { compared, comparedAtMost, differingAtMost, type BenchResult } from '../result.js';
import { startServers, type Servers } from '../servers.js';
import type { RebuildFigures, RebuildPart } from './rebuild.process.js';

/** A log and the rows that it is built into. */
interface Sized {
  readonly topic: string;
  readonly projection: string;
  readonly events: number;
  readonly rows: number;
}

const EVENTS_A_ROW = 5;
const LARGE_EVENTS = 10_000_000;
const QUICK_LARGE_EVENTS = 1_000_000;
const TIMES_SMALLER = 10;
const LOAD: Load = { writers: 16, events: 10 };
const SECONDS = 4;
const QUICK_SECONDS = 2;
const WARM_SECONDS = 1.5;

interface Bound {
  readonly atLeast: number | null;
  readonly aim: number | null;
}

/** What grows with the log: memory and time of a rebuild, and the time of an append. */
export const scale: Bench = {
  logs: ['postgres'],
  run: async (settings) => {
    const events = settings.quick ? QUICK_LARGE_EVENTS : LARGE_EVENTS;
    // The large one is the log that is appended to as well: its partitions, indexes and topic are as full as they say.
    const large = sized(APPEND_TOPIC, 'scale_large', events);
    const small = sized('scale-small', 'scale_small', events / TIMES_SMALLER);
    const filled = await startServers('postgres');
    try {
      for (const each of [small, large])
        await loadGenerated(filled.database, each.topic, { events: each.events, streams: each.rows, spread: 'once' });
      const rebuilds = await benchRebuilds(filled.databaseUrl, small, large, settings);
      return { environment: filled.environment, results: [...rebuilds, await benchAppends(filled, large, settings)] };
    } finally {
      await filled.stop();
    }
  },
};

function sized(topic: string, projection: string, events: number): Sized {
  return { topic, projection, events, rows: events / EVENTS_A_ROW };
}

async function benchRebuilds(databaseUrl: string, small: Sized, large: Sized, settings: BenchSettings): Promise<BenchResult[]> {
  const figures: { readonly small: RebuildFigures[]; readonly large: RebuildFigures[] } = { small: [], large: [] };
  for (let round = 0; round < roundsOf(settings); round += 1) {
    figures.large.push(await rebuilt(databaseUrl, large));
    figures.small.push(await rebuilt(databaseUrl, small));
  }
  const perMillion = (side: readonly RebuildFigures[], { events }: Sized): number[] =>
    side.map(({ seconds }) => (seconds * 1e6) / events);
  return [
    differingAtMost(
      {
        bench: 'scale',
        case: `peak memory (RSS) of a process that rebuilds ${described(large)}`,
        unit: 'MB',
        against: 'no memory at all',
        ...bound(settings, 400, 250),
      },
      { ours: figures.large.map(({ peakMb }) => peakMb), theirs: [0] },
    ),
    comparedAtMost(
      {
        bench: 'scale',
        case: `growth: time of a rebuild of ${described(large)}, for each million events`,
        unit: 's',
        against: `the same of ${described(small)}`,
        ...bound(settings, 1.1, 1.03),
      },
      { ours: perMillion(figures.large, large), theirs: perMillion(figures.small, small) },
    ),
  ];
}

/** In a process of its own, whose memory is then the rebuild's alone. */
async function rebuilt(databaseUrl: string, log: Sized): Promise<RebuildFigures> {
  const figures = await runPart<RebuildPart, RebuildFigures>(new URL('./rebuild.process.js', import.meta.url), {
    databaseUrl,
    ...log,
  });
  console.log(`rebuilt ${described(log)}: ${figures.seconds.toFixed(1)} s, peak memory ${figures.peakMb.toFixed(0)} MB`);
  return figures;
}

/** The empty log has a server of its own: two logs of one server share a table and its indexes. */
async function benchAppends(filled: Servers, large: Sized, settings: BenchSettings): Promise<BenchResult> {
  const seconds = settings.quick ? QUICK_SECONDS : SECONDS;
  const empty = await startServers('postgres');
  const sides = { ours: await appendOurs(filled.databaseUrl), theirs: await appendOurs(empty.databaseUrl) };
  try {
    const runs = { ours: [] as number[], theirs: [] as number[] };
    for (const side of Object.values(sides)) await appendFor(side, LOAD, COLD, WARM_SECONDS);
    for (let round = 0; round < roundsOf(settings); round += 1) {
      runs.ours.push(await appendFor(sides.ours, LOAD, COLD, seconds));
      runs.theirs.push(await appendFor(sides.theirs, LOAD, COLD, seconds));
    }
    return compared(
      {
        bench: 'scale',
        case: `growth: append into a log of ${large.events.toLocaleString('en')} events, ${LOAD.writers} writers × ${LOAD.events} events, ${COLD.words}`,
        unit: 'events/s',
        against: 'the same into an empty log',
        ...bound(settings, 0.9, 0.97),
      },
      runs,
    );
  } finally {
    await sides.ours.close();
    await sides.theirs.close();
    await empty.stop();
  }
}

/** Bounds are those of ten million. */
function bound({ quick }: BenchSettings, atLeast: number, aim: number): Bound {
  return quick ? { atLeast: null, aim: null } : { atLeast, aim };
}

function described({ events, rows }: Sized): string {
  return `${events.toLocaleString('en')} events over ${rows.toLocaleString('en')} rows`;
}
