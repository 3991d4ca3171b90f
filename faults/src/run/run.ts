import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { journalLines, type JournalLine } from '../actors/journal.js';
import { check } from '../check/check.js';
import type { Evidence, Problem } from '../check/evidence.js';
import { recoveries } from '../check/recovery.js';
import { machineTime } from '../clock.js';
import { readStreams } from '../servers/read-streams.js';
import { kafkaServers } from '../servers/kafka-servers.js';
import { postgresServers } from '../servers/postgres-servers.js';
import type { Driver, Servers } from '../servers/servers.js';
import { OPERATOR, placesOf, REPLICAS, schedule, VISITOR, WRITERS } from '../strikes/schedule.js';
import { strikeDown } from '../strikes/strike-down.js';
import type { Strike, StrikeKind } from '../strikes/strike.js';
import { Cast } from './cast.js';
import { Observer } from './observer.js';
import { within } from './within.js';

export interface RunResult {
  readonly seed: number;
  readonly strikes: readonly StrikeKind[];
  readonly events: number;
  /** What was promised and is not so. */
  readonly problems: readonly Problem[];
  /** What else went wrong: a process that ended by itself, work that did not come to rest. */
  readonly faults: readonly string[];
  /** For each strike after which something was appended. */
  readonly recoverMs: readonly number[];
  readonly seconds: number;
  /** When each part of the run was over, in seconds from its begin. */
  readonly parts: Readonly<Record<string, number>>;
}

const SERVERS: Readonly<Record<Driver, (folder: string) => Promise<Servers>>> = {
  postgres: postgresServers,
  kafka: kafkaServers,
};

/** Appends after the last strike, so that its recovery is seen. */
const AFTERGLOW_MS = 1_000;
const FINISH_WITHIN_MS = 22_000;
/** From its begin a strike is over, and whom it killed works again, within this; what waits for longer waits for ever. */
const STRIKE_WITHIN_MS = 60_000;
const START_WITHIN_MS = 60_000;
const GATHER_WITHIN_MS = 60_000;
/** A killed member's leases last 10 s; what it left is taken over then. */
const REST_WITHIN_MS = 20_000;

/** The shop in its processes, the strikes that the seed means, then rest, then the check. */
export async function run(seed: number, folder: string, driver: Driver): Promise<RunResult> {
  const began = machineTime();
  const parts: Record<string, number> = {};
  const over = (part: string): number => (parts[part] = Math.round((machineTime() - began) / 100) / 10);
  await mkdir(folder, { recursive: true });
  const faults: string[] = [];
  const strikes = schedule(seed, driver);
  await writeFile(path.join(folder, 'schedule.json'), `${JSON.stringify(strikes, null, 2)}\n`);
  const servers = await SERVERS[driver](folder);
  const cast = await Cast.assemble(seed, folder, servers, (text) => faults.push(text));
  const observer = new Observer(servers.databaseUrl);
  over('servers');
  try {
    if (!(await within(START_WITHIN_MS, cast.start()))) faults.push('not all processes started');
    over('processes');
    observer.start();
    await restingFrom(observer, (unrest) => !unrest.some((line) => line.includes('has no live build')), REST_WITHIN_MS);
    over('start');
    const struck = await strikeAll(cast, strikes, faults);
    over('strikes');
    await finish([...WRITERS, OPERATOR, VISITOR], cast, faults);
    over('work');
    const unrest = await restingFrom(observer, (lines) => lines.length === 0, REST_WITHIN_MS);
    faults.push(...unrest.map((line) => `not at rest: ${line}`));
    over('rest');
    await finish(REPLICAS, cast, faults);
    over('end');
    await observer.stop();
    await observer.lookAtAll();
    over('tables');
    const gathered = gather(folder, servers, observer);
    if (!(await within(GATHER_WITHIN_MS, gathered))) throw new Error('what is in the log could not be read');
    const evidence = await gathered;
    over('evidence');
    const problems = check(evidence);
    const ends = struck.map(({ overAt }) => overAt);
    const recovered = recoveries(ends, evidence.journal, evidence.progress);
    faults.push(...recovered.unseen.map((what) => `appended after a strike and never visible: ${what}`));
    const result: RunResult = {
      seed,
      strikes: struck.map(({ kind }) => kind),
      events: evidence.streams.length,
      problems,
      faults,
      recoverMs: recovered.times,
      seconds: over('check'),
      parts,
    };
    await writeFile(path.join(folder, 'evidence.json'), JSON.stringify(evidence));
    await writeFile(path.join(folder, 'result.json'), `${JSON.stringify(result, null, 2)}\n`);
    return result;
  } finally {
    await observer.stop();
    await cast.dismiss();
    await servers.stop();
  }
}

interface Over {
  readonly kind: StrikeKind;
  readonly overAt: number;
}

async function strikeAll(cast: Cast, strikes: readonly Strike[], faults: string[]): Promise<readonly Over[]> {
  const start = machineTime();
  const over: Over[] = [];
  const places = new Map<string, Promise<unknown>>();
  await Promise.all(
    strikes.map((strike) => {
      const own = placesOf(strike);
      const carried = carryOut(
        strike,
        own.flatMap((place) => places.get(place) ?? []),
      );
      for (const place of own) places.set(place, carried);
      return carried;
    }),
  );
  await pause(AFTERGLOW_MS);
  return over;

  async function carryOut(strike: Strike, before: readonly Promise<unknown>[]): Promise<void> {
    await pause(Math.max(0, start + strike.atMs - machineTime()));
    await Promise.all(before);
    const coming: Promise<void>[] = [];
    try {
      const struck = strikeDown(strike, {
        servers: cast.servers,
        member: (name) => cast.member(name),
        wire: (name) => cast.wire(name),
        comesAgain: (ready) => coming.push(ready),
        over: ({ kind }, struck) => struck && over.push({ kind, overAt: machineTime() }),
      }).then(() => Promise.all(coming));
      if (!(await within(STRIKE_WITHIN_MS, struck)))
        faults.push(`strike ${strike.number} (${strike.kind} of ${strike.target}) was not over`);
    } catch (error) {
      faults.push(`strike ${strike.number} (${strike.kind}): ${String(error)}`);
    }
  }
}

/** Lets processes end the work under way, which must not take for ever. */
async function finish(names: readonly string[], cast: Cast, faults: string[]): Promise<void> {
  await Promise.all(
    names.map(async (name) => {
      if (!(await cast.member(name).finish(FINISH_WITHIN_MS))) faults.push(`${name} did not finish its work`);
    }),
  );
}

/** Waits until the observer's answer pleases; what does not, when time is up. */
async function restingFrom(
  observer: Observer,
  pleases: (unrest: readonly string[]) => boolean,
  withinMs: number,
): Promise<readonly string[]> {
  const until = machineTime() + withinMs;
  for (;;) {
    const unrest = await observer.unrest().catch((error: unknown) => [String(error)]);
    if (pleases(unrest)) return [];
    if (machineTime() > until) return unrest;
    await pause(100);
  }
}

async function gather(folder: string, servers: Servers, observer: Observer): Promise<Evidence> {
  const journals = (await readdir(folder)).filter((name) => name.endsWith('.journal'));
  const journal: JournalLine[] = [];
  for (const name of journals) journal.push(...journalLines(await readFile(path.join(folder, name), 'utf8')));
  return {
    journal,
    streams: await readStreams(servers.databaseUrl),
    topics: await servers.readTopics(),
    tables: observer.tables,
    progress: observer.progress,
    views: observer.views,
  };
}
