import { roundsOf, type BenchSettings } from '../bench.js';
import type { GeneratedOptions } from '../generated-log/generated-events.js';
import { loadGenerated } from '../generated-log/load-generated.js';
import { runPart } from '../part.js';
import { compared, type BenchResult } from '../result.js';
import type { Servers } from '../servers.js';
import type { CopyPart } from './copy-only.process.js';
import { TABLES } from './generated-projections.js';
import { eventsOf } from './log-size.js';
import { makeLive, rebuildOurs } from './rebuild-ours.js';
import { assertSameRows } from './same-rows.js';
import { rateOf, type RebuildPart, type RebuildReport } from './side.js';

const TOPIC = 'once';

/** As many rows as events, beside COPY of those rows alone. */
export async function rebuildOwnRows({ database, databaseUrl }: Servers, settings: BenchSettings): Promise<BenchResult> {
  const events = eventsOf(settings);
  const log: GeneratedOptions = { events, streams: events, spread: 'once' };
  const part: RebuildPart = { databaseUrl, brokers: [], topic: TOPIC, tables: ['things'] };
  await makeLive(part);
  await loadGenerated(database, TOPIC, log);
  const runs = { ours: [] as number[], theirs: [] as number[] };
  for (let round = 0; round < roundsOf(settings); round += 1) {
    await database.query('checkpoint');
    const file = new URL('./copy-only.process.js', import.meta.url);
    const theirs = await runPart<CopyPart, RebuildReport>(file, { databaseUrl, log });
    await database.query('checkpoint');
    const ours = await rebuildOurs(part);
    await assertSameRows(database, ours.built[0] ?? '', theirs.built[0] ?? '', TABLES.things);
    runs.theirs.push(rateOf(theirs));
    runs.ours.push(rateOf(ours));
  }
  return compared(
    {
      bench: 'rebuild',
      case: `one projection with as many rows as events, ${events.toLocaleString('en')} of each`,
      unit: 'rows/s',
      against: 'COPY of those rows, ready in memory in its binary format, into an unindexed table',
      atLeast: 0.5,
      aim: 0.7,
    },
    runs,
  );
}
