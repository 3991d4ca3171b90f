import { roundsOf, type BenchSettings } from '../bench.js';
import { loadGenerated } from '../generated-log/load-generated.js';
import { runPart } from '../part.js';
import { compared, comparedAtMost, type BenchResult } from '../result.js';
import type { Servers } from '../servers.js';
import { projectionName, TABLES, type TableName } from './generated-projections.js';
import type { LivePart } from './live.process.js';
import { LOADS, type Load } from './loads.js';
import { eventsOf } from './log-size.js';
import { rebuildOurs } from './rebuild-ours.js';
import { assertSameRows } from './same-rows.js';
import { rateOf, type RebuildPart, type RebuildReport } from './side.js';

const ONE: readonly TableName[] = ['things'];
const THREE: readonly TableName[] = ['things', 'groups', 'days'];

/** What is measured of a log in turn, each with one report a round. */
interface Runs {
  readonly loopOne: RebuildReport[];
  readonly oursOne: RebuildReport[];
  readonly loopThree: RebuildReport[];
  readonly oursThree: RebuildReport[];
  readonly parseOnly: RebuildReport[];
  readonly live: RebuildReport[];
}

/** Rebuilds of generated events from the PostgreSQL log, beside the hand-written loop, reading alone, and a live projection. */
export async function rebuildGenerated(servers: Servers, settings: BenchSettings): Promise<readonly BenchResult[]> {
  const results: BenchResult[] = [];
  for (const load of LOADS) {
    const events = eventsOf(settings);
    const runs = await measure(servers, load, events, roundsOf(settings));
    results.push(...resultsOf(`${events.toLocaleString('en')} events, ${load.words}`, runs));
  }
  return results;
}

async function measure(servers: Servers, load: Load, events: number, rounds: number): Promise<Runs> {
  const { databaseUrl, database } = servers;
  const { topic, streams, spread } = load;
  // What is live on the empty topic has all events before it once they are loaded: each round lets another one catch up. What is
  // rebuilt has a live build besides, as it has where somebody rebuilds.
  const followers = Array.from({ length: rounds }, (_, round) => ({
    name: `${projectionName(topic, 'things')}-live-${round + 1}`,
    table: 'things' as const,
  }));
  const rebuilt = THREE.map((table) => ({ name: projectionName(topic, table), table }));
  await live({ databaseUrl, topic, projections: [...followers, ...rebuilt], events: 0 });
  await loadGenerated(database, topic, { events, streams, spread });
  const runs: Runs = { loopOne: [], oursOne: [], loopThree: [], oursThree: [], parseOnly: [], live: [] };
  for (const follower of followers) {
    const built = async (kind: keyof Runs, run: () => Promise<RebuildReport>): Promise<RebuildReport> => {
      // What one side left to be written must not be written in the time of the other.
      await database.query('checkpoint');
      const report = await run();
      runs[kind].push(report);
      console.log(`rebuild, ${load.words}: ${kind} ${Math.round(rateOf(report)).toLocaleString('en')} events/s`);
      return report;
    };
    for (const [loop, ours, tables] of [
      ['loopOne', 'oursOne', ONE],
      ['loopThree', 'oursThree', THREE],
    ] as const) {
      const part = { databaseUrl, brokers: [], topic, tables };
      const theirs = await built(loop, () => side('loop', part));
      await assertSameTables(servers, await built(ours, () => rebuildOurs(part)), theirs, tables);
    }
    await built('parseOnly', () => side('parse-only', { databaseUrl, brokers: [], topic, tables: [] }));
    const followed = await built('live', () => live({ databaseUrl, topic, projections: [follower], events }));
    await assertSameRows(database, followed.built[0] ?? '', 'bench.things', TABLES.things);
  }
  return runs;
}

function side(name: 'loop' | 'parse-only', part: RebuildPart): Promise<RebuildReport> {
  return runPart<RebuildPart, RebuildReport>(new URL(`./${name}.process.js`, import.meta.url), part);
}

function live(part: LivePart): Promise<RebuildReport> {
  return runPart<LivePart, RebuildReport>(new URL('./live.process.js', import.meta.url), part);
}

async function assertSameTables(
  { database }: Servers,
  ours: RebuildReport,
  theirs: RebuildReport,
  tables: readonly TableName[],
): Promise<void> {
  if (ours.events !== theirs.events) throw new Error(`ours saw ${ours.events} events, the loop ${theirs.events}`);
  for (const [index, table] of tables.entries())
    await assertSameRows(database, ours.built[index] ?? '', theirs.built[index] ?? '', TABLES[table]);
}

const LOOP = 'hand-written loop (page, fold in Maps, an unnest upsert per table and a checkpoint a page)';

function resultsOf(words: string, runs: Runs): readonly BenchResult[] {
  const rates = (kind: keyof Runs): number[] => runs[kind].map(rateOf);
  const head = { bench: 'rebuild', unit: 'events/s' };
  const one = runs.oursOne.map(({ seconds }) => seconds);
  const further = runs.oursThree.map(({ seconds }, round) => (seconds - (one[round] ?? Number.NaN)) / (THREE.length - 1));
  return [
    compared(
      { ...head, case: `one projection, ${words}`, against: LOOP, atLeast: 1.2, aim: 2 },
      { ours: rates('oursOne'), theirs: rates('loopOne') },
    ),
    compared(
      { ...head, case: `three projections in one pass, ${words}`, against: LOOP, atLeast: 1.2, aim: 2 },
      { ours: rates('oursThree'), theirs: rates('loopThree') },
    ),
    comparedAtMost(
      {
        ...head,
        case: `time that each further projection in the same pass adds, ${words}`,
        unit: 's',
        against: 'a rebuild of one projection',
        atLeast: 0.35,
        aim: 0.2,
      },
      { ours: further, theirs: one },
    ),
    compared(
      {
        ...head,
        case: `one projection beside reading alone, ${words}`,
        against: 'paging the log out of PostgreSQL and JSON.parse, writing nothing',
        atLeast: null,
        aim: null,
      },
      { ours: rates('oursOne'), theirs: rates('parseOnly') },
    ),
    compared(
      {
        ...head,
        case: `live projection that catches up, ${words}`,
        against: 'a rebuild of the same projection',
        atLeast: 0.4,
        aim: 0.6,
      },
      { ours: rates('live'), theirs: rates('oursOne') },
    ),
  ];
}
