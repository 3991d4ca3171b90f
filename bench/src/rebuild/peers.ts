import { roundsOf, type BenchSettings } from '../bench.js';
import { loadGenerated } from '../generated-log/load-generated.js';
import { runPart } from '../part.js';
import { compared, type BenchResult } from '../result.js';
import type { Servers } from '../servers.js';
import { loadEmmett } from './emmett-log.js';
import type { EmmettPart } from './emmett.process.js';
import { TABLES } from './generated-projections.js';
import { eventsOf } from './log-size.js';
import { makeLive, rebuildOurs } from './rebuild-ours.js';
import { assertSameRows } from './same-rows.js';
import { rateOf, type RebuildPart, type RebuildReport } from './side.js';

interface Peer {
  readonly name: string;
  /** Events that it rebuilds from: as many as take it some seconds. Both sides are compared by their rates. */
  readonly events: number;
  load(servers: Servers): Promise<void>;
  rebuild(servers: Servers): Promise<RebuildReport>;
}

const TOPIC = 'peers';
const STREAMS = 1_000;

const EMMETT_EVENTS = 5_000;

function emmett(name: string, batchSize: number | null): Peer {
  return {
    name,
    events: EMMETT_EVENTS,
    load: ({ database }) => loadEmmett(database, TOPIC, EMMETT_EVENTS),
    rebuild: ({ databaseUrl }) =>
      runPart<EmmettPart, RebuildReport>(new URL('./emmett.process.js', import.meta.url), { databaseUrl, batchSize }),
  };
}

const PEERS: readonly Peer[] = [
  emmett('Emmett, default settings', null),
  emmett('Emmett, 5,000 messages a read without a pause', 5_000),
];

/** One projection of a row per stream, beside the same by the rebuild of other packages, each from its own log. */
export async function rebuildBesidePeers(servers: Servers, settings: BenchSettings): Promise<readonly BenchResult[]> {
  const events = eventsOf(settings);
  const part: RebuildPart = { databaseUrl: servers.databaseUrl, brokers: [], topic: TOPIC, tables: ['things'] };
  await makeLive(part);
  await loadGenerated(servers.database, TOPIC, { events, streams: STREAMS, spread: 'zipf' });
  const results: BenchResult[] = [];
  for (const peer of PEERS) {
    await peer.load(servers);
    const runs = { ours: [] as number[], theirs: [] as number[] };
    for (let round = 0; round < roundsOf(settings); round += 1) {
      runs.theirs.push(await checkedRate(servers, await peer.rebuild(servers), peer.events));
      runs.ours.push(await checkedRate(servers, await rebuildOurs(part), events));
    }
    results.push(
      compared(
        {
          bench: 'rebuild',
          case: `one projection, ${STREAMS.toLocaleString('en')} hot streams (Zipf), ours from ${events.toLocaleString('en')} events, the peer from the first ${peer.events.toLocaleString('en')}`,
          unit: 'events/s',
          against: peer.name,
          atLeast: 50,
          aim: 100,
        },
        runs,
      ),
    );
  }
  return results;
}

/** Every row against what PostgreSQL itself makes of the first events. */
async function checkedRate({ database }: Servers, report: RebuildReport, events: number): Promise<number> {
  if (report.events !== events) throw new Error(`${report.events} of ${events} events are in the rows`);
  const truth = `(
    select r.key as id, count(*)::int as n, max(r.n)::int as last, sum(r.n)::double precision as sum
    from (
      select l.key, (convert_from(l.value, 'UTF8')::json->>'n')::int as n
      from log_records l join topics t on t.id = l.topic_id where t.name = '${TOPIC}'
    ) r
    where r.n < ${events}
    group by r.key
  ) truth`;
  await assertSameRows(database, report.built[0] ?? '', truth, TABLES.things);
  return rateOf(report);
}
