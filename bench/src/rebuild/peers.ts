import { roundsOf, type BenchSettings } from '../bench.js';
import { loadGenerated } from '../generated-log/load-generated.js';
import { installPeers, newerNode } from '../install-peers.js';
import { runPart } from '../part.js';
import { compared, type BenchResult } from '../result.js';
import type { Servers } from '../servers.js';
import { loadAct } from './act-log.js';
import type { ActPart } from './act.process.js';
import { loadEmmett } from './emmett-log.js';
import type { EmmettPart } from './emmett.process.js';
import { TABLES } from './generated-projections.js';
import { eventsOf } from './log-size.js';
import { makeLive, rebuildOurs } from './rebuild-ours.js';
import { assertSameRows } from './same-rows.js';
import { rateOf, type RebuildPart, type RebuildReport } from './side.js';
import { truthOf } from './truth.js';

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

const ACT_EVENTS = 2_000;
/** Fewer made it slower, more no faster. */
const ACT_DRAIN_LIMIT = 1_000;

function act(execPath: string): Peer {
  return {
    name: `Act 0.5.6 with act-pg 0.4.6, one target, ${ACT_DRAIN_LIMIT.toLocaleString('en')} events a drain`,
    events: ACT_EVENTS,
    load: ({ database }) => loadAct(database, TOPIC, ACT_EVENTS),
    rebuild: ({ databaseUrl }) =>
      runPart<ActPart, RebuildReport>(
        new URL('./act.process.js', import.meta.url),
        { databaseUrl, drainLimit: ACT_DRAIN_LIMIT },
        execPath,
      ),
  };
}

async function peers(): Promise<readonly Peer[]> {
  await installPeers();
  const newer = newerNode();
  if (newer === null) console.log('Act is left out: it needs Node.js 22, and there is none for this platform beside it');
  return [
    emmett('Emmett, default settings', null),
    emmett(`Emmett, ${EMMETT_EVENTS.toLocaleString('en')} messages a read without a pause`, EMMETT_EVENTS),
    ...(newer === null ? [] : [act(newer)]),
  ];
}

/** One projection of a row per stream, beside the same by the rebuild of other packages, each from its own log. */
export async function rebuildBesidePeers(servers: Servers, settings: BenchSettings): Promise<readonly BenchResult[]> {
  const events = eventsOf(settings);
  const part: RebuildPart = { databaseUrl: servers.databaseUrl, brokers: [], topic: TOPIC, tables: ['things'] };
  await makeLive(part);
  await loadGenerated(servers.database, TOPIC, { events, streams: STREAMS, spread: 'zipf' });
  const measured = (await peers()).map((peer) => ({ peer, theirs: [] as number[] }));
  for (const { peer } of measured) await peer.load(servers);
  const ours: number[] = [];
  for (let round = 0; round < roundsOf(settings); round += 1) {
    ours.push(await checkedRate(servers, await rebuildOurs(part), events));
    for (const { peer, theirs } of measured) theirs.push(await checkedRate(servers, await peer.rebuild(servers), peer.events));
  }
  const streams = `${STREAMS.toLocaleString('en')} hot streams (Zipf)`;
  return measured.map(({ peer, theirs }) =>
    compared(
      {
        bench: 'rebuild',
        case: `one projection, ${streams}, ours from ${events.toLocaleString('en')} events, the peer from ${peer.events.toLocaleString('en')}`,
        unit: 'events/s',
        against: peer.name,
        atLeast: 50,
        aim: 100,
      },
      { ours, theirs },
    ),
  );
}

/** Every row against what PostgreSQL itself makes of the first events. */
async function checkedRate({ database }: Servers, report: RebuildReport, events: number): Promise<number> {
  if (report.events !== events) throw new Error(`${report.events} of ${events} events are in the rows`);
  await assertSameRows(database, report.built[0] ?? '', truthOf(TOPIC, events), TABLES.things);
  return rateOf(report);
}
