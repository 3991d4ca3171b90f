import { Database } from '../../../src/database/database.js';
import { placeText, type DeadLetter, type LetterPlace } from '../../../src/database/dead-letters/dead-letter.js';
import { DeadLetterStore } from '../../../src/database/dead-letters/dead-letter-store.js';
import { deadLetterMigrations } from '../../../src/database/dead-letters/migrations.js';
import { Migrator } from '../../../src/database/migrator.js';
import { jsonCodec } from '../../../src/kernel/codec.js';
import type { Logger } from '../../../src/kernel/logger.js';
import { covers, latest, partitionKey, type Position } from '../../../src/kernel/position.js';
import type { NewRecord } from '../../../src/kernel/record.js';
import type { TopicName } from '../../../src/kernel/names.js';
import type { EventLog } from '../../../src/log/event-log.js';
import { PostgresLog } from '../../../src/log/postgres/postgres-log.js';
import { logMigrations } from '../../../src/log/postgres/migrations.js';
import { buildWork } from '../../../src/modules/projections/build-work.js';
import { BuildStore } from '../../../src/modules/projections/build-store.js';
import { declaredVersion } from '../../../src/modules/projections/declared-version.js';
import { positionOf, type Build, type BuildError, type BuildState } from '../../../src/modules/projections/build.js';
import { letterOwner } from '../../../src/modules/projections/dead-letters/letter-owner.js';
import { FoldSteps } from '../../../src/modules/projections/fold/fold-steps.js';
import { RowWindow } from '../../../src/modules/projections/fold/row-window.js';
import { projectionMigrations } from '../../../src/modules/projections/migrations.js';
import type { ProjectionDefinition, Row } from '../../../src/modules/projections/projection.js';
import {
  rebuildProjections,
  type RebuildContext,
  type RebuildRequest,
} from '../../../src/modules/projections/rebuild/rebuild-projections.js';
import { createBuild } from '../../../src/modules/projections/rebuild/create-build.js';
import type { BuildWork } from '../../../src/modules/projections/runner/fold-batch.js';
import { LiveRunner } from '../../../src/modules/projections/runner/live-runner.js';
import { ProgressSignal } from '../../../src/modules/projections/runner/progress-signal.js';
import { swapTogether } from '../../../src/modules/projections/supervisor/swap-together.js';
import { createTestDatabase } from '../../../src/testing/test-server.js';
import { recordOf, type Happening } from './happenings.js';
import { accounts } from './ledger.js';

/** The log of a house. */
export interface HouseLog {
  /** As one process has it; not started. */
  open(database: Database): EventLog;
  /** What accounts are called in it, where its topics are not of this house alone. */
  readonly accounts: TopicName;
}

export const inPostgres: HouseLog = {
  open: (database) => new PostgresLog(database, { heartbeatMs: 100, sessionTimeoutMs: 2_000 }),
  accounts: accounts.name,
};

/** What one process of an application has: pool, log, builds, signal. */
export interface House extends RebuildContext {
  readonly url: string;
  readonly lines: string[];
  /** As another process on the same database has it. */
  another(): Promise<House>;
  append(happenings: readonly Happening[]): Promise<Position>;
  appendRecords(records: readonly NewRecord[]): Promise<Position>;
  newBuild(
    definition: ProjectionDefinition,
    options?: { readonly swapWhenReady?: boolean; readonly swapGroup?: string; readonly fromRetained?: boolean },
  ): Promise<BuildWork>;
  work(build: Build, definition: ProjectionDefinition): BuildWork;
  follow(work: BuildWork): LiveRunner;
  /** Runs a rebuild to its end. */
  rebuild(request: RebuildRequest): Promise<void>;
  /** Runs a rebuild until this many of its events are committed, then stops it. */
  rebuildUntil(request: RebuildRequest, events: number): Promise<void>;
  /** Where the build's progress stands. */
  standsAt(work: BuildWork): Promise<Position>;
  /** Waits until the log has given the runners of this process all up to the position. */
  given(position: Position): Promise<void>;
  /** Waits until an engine of this process has written a line with this in it. */
  said(text: string): Promise<void>;
  /** Waits until the build stands further on than now, or at the end. */
  movedOn(work: BuildWork): Promise<void>;
  /** Waits until the runners of this process own this many partitions, all together. */
  assigned(partitions: number): Promise<void>;
  /** Waits until the engines of this process have looked at builds, progress or whether they still own it this often. */
  looked(times: number): Promise<void>;
  /** From here on, how often progress was committed. */
  countCommits(): Promise<() => Promise<number>>;
  /** Waits until the projection has a live build. */
  live(projection: string): Promise<Build>;
  stateOf(work: Pick<BuildWork, 'build'>, state: BuildState): Promise<void>;
  /** Waits until an event has stopped the build. */
  errorOf(build: Build): Promise<BuildError>;
  untilNoError(build: Build): Promise<void>;
  /** Waits until the build stands at the position. */
  reached(work: BuildWork, position: Position): Promise<void>;
  /** All rows of the build, sorted by key. */
  rows(work: BuildWork): Promise<readonly Row[]>;
  /** What folding the log from its begin in memory gives, sorted by key. */
  cleanFold(
    definition: ProjectionDefinition,
    work: BuildWork,
    upTo?: Position,
    without?: readonly LetterPlace[],
  ): Promise<readonly Row[]>;
  /** What stands or stood aside of a build, by place in the log. */
  letters(work: Pick<BuildWork, 'build'>): Promise<readonly DeadLetter[]>;
  /** Waits until nothing is asked for letters any more. */
  settled(work: Pick<BuildWork, 'build'>): Promise<void>;
  /** Waits until as many wait as said. */
  waiting(work: Pick<BuildWork, 'build'>, open: number): Promise<void>;
  stop(): Promise<void>;
}

/** So few that a runner is behind most of the time and keeps rows from batch to batch. */
const LIVE_BATCH_RECORDS = 16;

const COUNT_COMMITS = `
  create table moved (at bigint);
  create function note_move() returns trigger language plpgsql as $$ begin insert into moved values (pg_current_xact_id()::text::bigint); return null; end $$;
  create trigger note_move after update of next_offset on progress for each statement execute function note_move()`;

export async function openHouse(where: HouseLog = inPostgres): Promise<House> {
  const made = await createTestDatabase();
  const database = new Database({ url: made.url });
  await new Migrator(database, [...logMigrations, ...deadLetterMigrations, ...projectionMigrations]).migrate();
  await database.stop();
  const first = await house(made.url, where);
  await first.log.createTopic({ name: where.accounts, partitions: accounts.partitions, retention: null });
  const others: House[] = [];
  return {
    ...first,
    another: async () => {
      const other = await house(made.url, where);
      others.push(other);
      return other;
    },
    stop: async () => {
      for (const other of others) await other.stop();
      await first.stop();
      await made.drop();
    },
  };
}

export async function house(url: string, where: HouseLog = inPostgres): Promise<House> {
  const lines: string[] = [];
  const logger: Logger = {
    log: (line) => void lines.push(line),
    warn: (line) => void lines.push(line),
    error: (line) => void lines.push(line),
  };
  const database = new Database({ url, poolSize: 12 });
  const log = where.open(database);
  await log.start();
  let given: Position = {};
  const join = log.join.bind(log);
  log.join = async (options) => {
    const member = await join(options);
    const poll = member.poll.bind(member);
    member.poll = async (wish) => {
      const batches = await poll(wish);
      given = latest(
        given,
        Object.fromEntries(batches.map(({ topic, partition, next }) => [partitionKey(topic, partition), next])),
      );
      return batches;
    };
    return member;
  };
  let looks = 0;
  const builds = new (class extends BuildStore {
    override progress(build: number) {
      looks += 1;
      return super.progress(build);
    }
    override stands(...at: Parameters<BuildStore['stands']>) {
      looks += 1;
      return super.stands(...at);
    }
    override list(projection?: string) {
      looks += 1;
      return super.list(projection);
    }
  })(database);
  const progress = new ProgressSignal();
  const runners: LiveRunner[] = [];
  const store = new DeadLetterStore(database);
  let appended = 0;
  const context: RebuildContext = { database, log, builds, progress, logger, swap: swapTogether({ database, builds }) };
  const appendRecords = async (records: readonly NewRecord[]): Promise<Position> => {
    let position: Position = {};
    for (let at = 0; at < records.length; at += 2_000)
      position = { ...position, ...(await log.append(records.slice(at, at + 2_000))) };
    return position;
  };
  const self: House = {
    ...context,
    url,
    lines,
    another: () => house(url, where),
    append: (happenings) =>
      appendRecords(happenings.map((happening) => ({ ...recordOf(happening, appended++), topic: where.accounts }))),
    appendRecords,
    newBuild: async (definition, options = {}) => {
      const build = await createBuild(context, declaredVersion(reading(where, definition)), {
        swapWhenReady: options.swapWhenReady ?? false,
        swapGroup: options.swapGroup ?? null,
        fromRetained: options.fromRetained ?? false,
      });
      return self.work(build, definition);
    },
    work: (build, definition) => buildWork(database.schema, build, reading(where, definition), jsonCodec),
    follow: (work) => {
      const runner = new LiveRunner({ ...context, liveBatchRecords: LIVE_BATCH_RECORDS }, work);
      runners.push(runner);
      runner.start();
      return runner;
    },
    rebuild: async (request) => {
      for await (const _ of rebuildProjections(context, request));
    },
    live: (projection) => until(() => builds.active(projection)),
    stateOf: async (work, state) => {
      await until(async () => (await builds.get(work.build.id))?.state === state);
    },
    errorOf: (build) => until(async () => (await builds.get(build.id))?.error ?? null),
    untilNoError: async (build) => {
      await until(async () => (await builds.get(build.id))?.error === null);
    },
    reached: async (work, position) => {
      for (;;) {
        const lines = await builds.progress(work.build.id);
        if (lines.every((line) => line.nextOffset >= (position[`${line.topic}/${line.partition}`] ?? 0))) return;
        const { error } = (await builds.get(work.build.id)) ?? {};
        if (error) throw new Error(error.message);
        await soon();
      }
    },
    rows: async (work) => {
      const { columns } = work.table.codec.table;
      const { rows } = await database.query<Record<string, string | null>>(
        `select ${columns.map((column, at) => `"${column.name}"::text as c${at}`).join(', ')} from ${work.table.qualifiedName}`,
      );
      return sorted(
        work,
        rows.map((texts) => work.table.codec.decode(columns.map((_, at) => texts[`c${at}`] ?? null))),
      );
    },
    rebuildUntil: async (request, events) => {
      const stop = new AbortController();
      const [work] = request.works;
      for await (const _ of rebuildProjections(context, { ...request, signal: stop.signal })) {
        const lines = await builds.progress(work!.build.id);
        if (lines.reduce((sum, line) => sum + line.nextOffset, 0) >= events) stop.abort();
      }
    },
    standsAt: async (work) => positionOf(await builds.progress(work.build.id)),
    given: async (position) => {
      await until(() => Promise.resolve(covers(given, position)));
    },
    said: async (text) => {
      await until(async () => lines.some((line) => line.includes(text)));
    },
    movedOn: async (work) => {
      const before = sumOf(await self.standsAt(work));
      const ends = (await Promise.all(work.plan.topics.map((name) => log.offsets(name)))).flat();
      const end = ends.reduce((sum, each) => sum + each.end, 0);
      await until(async () => {
        const now = sumOf(await self.standsAt(work));
        return now > before || now >= end;
      });
    },
    assigned: async (partitions) => {
      while (runners.reduce((sum, runner) => sum + runner.assignment.length, 0) !== partitions) await soon();
    },
    looked: async (times) => {
      for (const until = looks + times; looks < until;) await soon();
    },
    countCommits: async () => {
      await database.query(COUNT_COMMITS);
      return async () => (await database.query<{ n: number }>('select count(*) as n from moved')).rows[0]!.n;
    },
    letters: async ({ build }) => {
      const states = ['letter', 'follower', 'applied', 'discarded'] as const;
      const all = await store.list({ owners: [letterOwner(build.id)], states, limit: 100_000 });
      return [...all].sort((a, b) => a.partition - b.partition || a.offset - b.offset);
    },
    settled: async ({ build }) => {
      await until(async () => (await store.requested(letterOwner(build.id))).length === 0);
    },
    waiting: async ({ build }, open) => {
      await until(async () => (await store.countOpen(letterOwner(build.id))) === open);
    },
    cleanFold: async (definition, { plan }, upTo, without = []) => {
      const left = new Set(without.map(placeText));
      const window = new RowWindow(true);
      const steps = new FoldSteps();
      const from: Record<string, number> = {};
      const to: Record<string, number> = {};
      for (const each of reading(where, definition).from) {
        for (const { partition, begin, end } of await log.offsets(each.name)) {
          const until = upTo?.[`${each.name}/${partition}`] ?? end;
          if (until === begin) continue;
          from[`${each.name}/${partition}`] = begin;
          to[`${each.name}/${partition}`] = until;
        }
      }
      for await (const batch of log.read({ from, to }))
        for (const record of batch.records) if (!left.has(placeText(record))) plan.gather(record, window, steps);
      plan.fold(steps, 0, steps.length);
      return [...window.entries.values()]
        .filter((entry) => entry.row !== null)
        .sort((a, b) => (a.text < b.text ? -1 : 1))
        .map((entry) => entry.row as Row);
    },
    stop: async () => {
      await Promise.all(runners.map((runner) => runner.stop()));
      await log.stop();
      await database.stop();
    },
  };
  return self;
}

/** The projection as it reads this log. */
function reading({ accounts: name }: HouseLog, definition: ProjectionDefinition): ProjectionDefinition {
  const from = definition.from.map((topic) => (topic.name === accounts.name ? { ...topic, name } : topic));
  return { ...definition, from };
}

async function until<T>(look: () => Promise<T>): Promise<NonNullable<T>> {
  for (;;) {
    const found = await look();
    if (found) return found;
    await soon();
  }
}

export function sumOf(position: Position): number {
  return Object.values(position).reduce((sum, next) => sum + next, 0);
}

function soon(ms = 10): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function sorted(work: BuildWork, rows: readonly Row[]): readonly Row[] {
  const { codec } = work.table;
  return [...rows].sort((a, b) => (codec.keyText(a) < codec.keyText(b) ? -1 : 1));
}
