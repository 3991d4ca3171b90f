import { roundsOf, type Bench, type BenchSettings } from '../bench.js';
import { compared, type BenchResult } from '../result.js';
import { startServers } from '../servers.js';
import { appendFor, type Load } from './append-for.js';
import { emmett } from './emmett.js';
import { groupCommit } from './group-commit.js';
import { ours } from './ours.js';
import { plainInsert } from './plain-insert.js';
import type { AppendSide } from './side.js';
import { COLD, HOT, type Streams } from './streams.js';

interface Peer {
  readonly name: string;
  readonly open: (url: string, load: Load) => Promise<AppendSide>;
  readonly atLeast: number;
  readonly aim: number;
}

interface Case {
  readonly load: Load;
  readonly peers: readonly Peer[];
}

const BY_HAND: Peer = {
  name: 'a hand-written group commit with the same checks (head, command id)',
  open: groupCommit,
  atLeast: 0.85,
  aim: 1,
};

const CASES: readonly Case[] = [
  {
    load: { writers: 1, events: 1 },
    peers: [{ name: 'a plain sequential INSERT', open: (url) => plainInsert(url, 1), atLeast: 0.6, aim: 0.75 }, BY_HAND],
  },
  {
    load: { writers: 16, events: 10 },
    peers: [
      { name: 'Emmett, default settings', open: (url) => emmett(url, null), atLeast: 2, aim: 2.5 },
      { name: 'Emmett, a connection a writer', open: (url, { writers }) => emmett(url, writers), atLeast: 2, aim: 2.5 },
      BY_HAND,
    ],
  },
  {
    load: { writers: 256, events: 1 },
    peers: [{ name: '16 connections of plain INSERT', open: (url) => plainInsert(url, 16), atLeast: 1.8, aim: 2.3 }, BY_HAND],
  },
];

/** Peers make their tables anew for each case: ours begin as empty. */
const EMPTY = 'truncate log_records, commands, stream_heads, snapshots, unique_claims';
const SECONDS = 4;
const QUICK_SECONDS = 2;
/** Before the first round, so that plans are made and code is compiled. */
const WARM_SECONDS = 1.5;

export const append: Bench = {
  logs: ['postgres'],
  run: async (settings) => {
    const servers = await startServers('postgres');
    try {
      const results: BenchResult[] = [];
      for (const each of CASES)
        for (const streams of [HOT, COLD])
          for (const peer of each.peers) {
            await servers.database.query(EMPTY);
            results.push(await against(servers.databaseUrl, each.load, streams, peer, settings));
          }
      return { environment: servers.environment, results };
    } finally {
      await servers.stop();
    }
  },
};

async function against(url: string, load: Load, streams: Streams, peer: Peer, settings: BenchSettings): Promise<BenchResult> {
  const seconds = settings.quick ? QUICK_SECONDS : SECONDS;
  const side = await ours(url);
  const other = await peer.open(url, load);
  try {
    const runs = { ours: [] as number[], theirs: [] as number[] };
    await appendFor(side, load, streams, WARM_SECONDS);
    await appendFor(other, load, streams, WARM_SECONDS);
    for (let round = 0; round < roundsOf(settings); round += 1) {
      runs.ours.push(await appendFor(side, load, streams, seconds));
      runs.theirs.push(await appendFor(other, load, streams, seconds));
    }
    const { writers, events } = load;
    const name = `${writers} ${writers === 1 ? 'writer' : 'writers'} × ${events} ${events === 1 ? 'event' : 'events'}, ${streams.words}`;
    const { name: against, atLeast, aim } = peer;
    return compared({ bench: 'append', case: name, unit: 'events/s', against, atLeast, aim }, runs);
  } finally {
    await side.close();
    await other.close();
  }
}
