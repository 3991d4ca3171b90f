import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import type { Offsets, ProgressNote, Row, TableState, ViewNote } from '../check/evidence.js';
import { machineTime } from '../clock.js';
import { PROJECTIONS } from '../shop/definitions.js';

const LOOK_EVERY_MS = 40;
const TABLES_EVERY_MS = 1_000;
/** A look that takes longer than this was met by a strike, and is made again. */
const STATEMENT_TIMEOUT_MS = 2_000;

/** Builds that have a table and progress. */
const BUILDS = `
  select b.id::int as build, b.projection, b.version, b.state, b.table_name, b.error,
    coalesce(j.active_build = b.id, false) as live,
    coalesce(json_object_agg(p.topic || '/' || p.partition, p.next_offset) filter (where p.topic is not null), '{}') as next,
    coalesce(json_object_agg(p.topic || '/' || p.partition, p.owner_epoch) filter (where p.topic is not null), '{}') as epochs
  from kappa.builds b
  join kappa.projections j on j.name = b.projection
  left join kappa.progress p on p.build_id = b.id
  where b.state not in ('planned', 'dropped')
  group by b.id, j.active_build
  order by b.id`;

const ENDS = `
  select t.name || '/' || r.partition as partition, (max(r."offset") + 1)::float8 as next
  from kappa.log_records r join kappa.topics t on t.id = r.topic_id
  group by t.name, r.partition`;

interface BuildLook {
  readonly build: number;
  readonly projection: string;
  readonly version: number;
  readonly state: string;
  readonly table_name: string;
  readonly error: unknown;
  readonly live: boolean;
  readonly next: Offsets;
  readonly epochs: Offsets;
}

/** Ended builds stand still; what becomes of those that were given up is nobody's table. */
const KEPT = ['building', 'catching-up', 'ready', 'live', 'standby'];

/** Watches a run from outside, on a connection that nobody strikes: progress, public views, and tables in one snapshot with their progress. */
export class Observer {
  readonly progress: ProgressNote[] = [];
  readonly views: ViewNote[] = [];
  readonly tables: TableState[] = [];
  readonly #stopping = new AbortController();
  readonly #seen = new Map<string, string>();
  #client: pg.Client | null = null;
  #asked: Promise<unknown> = Promise.resolve();
  #watching: Promise<void> | null = null;
  #tablesAt = 0;
  #turn = 0;

  constructor(private readonly url: string) {}

  start(): void {
    this.#watching ??= this.#watch(this.#stopping.signal);
  }

  /** Ends the watch and the connection; a look after it opens another. May be called twice. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#watching;
    await this.#client?.end().catch(() => undefined);
    this.#client = null;
  }

  /** What still stands between now and a run that has come to rest; empty when nothing does. */
  async unrest(): Promise<readonly string[]> {
    return this.#ask(async (client) => {
      const ends = new Map(
        (await client.query<{ partition: string; next: number }>(ENDS)).rows.map(({ partition, next }) => [partition, next]),
      );
      const builds = (await client.query<BuildLook>(BUILDS)).rows;
      const planned = await client.query<{ count: number }>(
        `select count(*)::int as count from kappa.builds where state = 'planned'`,
      );
      const missing = PROJECTIONS.filter((name) => !builds.some(({ projection, live }) => projection === name && live));
      return [
        ...missing.map((name) => `${name} has no live build`),
        ...((planned.rows[0]?.count ?? 0) > 0 ? ['a build is planned'] : []),
        ...builds.flatMap((build) => {
          const name = `${build.projection} v${build.version} (build ${build.build}, ${build.state})`;
          if (build.state === 'failed' || build.error !== null) return [`${name} failed: ${JSON.stringify(build.error)}`];
          if (build.state === 'building' || build.state === 'catching-up') return [`${name} is on its way`];
          if (!KEPT.includes(build.state)) return [];
          const behind = Object.entries(build.next).filter(([partition, next]) => next < (ends.get(partition) ?? 0));
          return behind.map(([partition, next]) => `${name} is at ${partition} ${next} of ${ends.get(partition) ?? 0}`);
        }),
      ];
    });
  }

  /** Progress, public views and the tables of all builds as they are now. */
  async lookAtAll(): Promise<void> {
    await this.#ask(async (client) => {
      await this.#look(client);
      for (const look of (await client.query<BuildLook>(BUILDS)).rows)
        if (KEPT.includes(look.state)) await this.#lookAtTable(client, look);
    });
  }

  async #watch(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#ask((client) => this.#look(client));
      } catch {
        // The server was struck, or a table was dropped under our eyes: the next look tells.
      }
      await pause(LOOK_EVERY_MS);
    }
  }

  async #look(client: pg.Client): Promise<void> {
    const builds = (await client.query<BuildLook>(BUILDS)).rows;
    const at = machineTime();
    for (const { build, projection, live, next, epochs } of builds) {
      if (this.#isNew(`build ${build}`, { live, next, epochs }))
        this.progress.push({ at, build, projection, live, next, epochs });
    }
    for (const projection of PROJECTIONS) {
      if (!builds.some((build) => build.projection === projection && build.live)) continue;
      await this.#lookAtView(client, projection);
    }
    if (at - this.#tablesAt < TABLES_EVERY_MS) return;
    const kept = builds.filter(({ state }) => KEPT.includes(state));
    const chosen = kept[this.#turn % Math.max(1, kept.length)];
    this.#turn += 1;
    this.#tablesAt = at;
    if (chosen) await this.#lookAtTable(client, chosen);
  }

  async #lookAtView(client: pg.Client, projection: string): Promise<void> {
    const { rows } = await client.query<{ label: string; folded: number }>(
      `select label, sum(folded)::int as folded from public.${projection} group by label order by label`,
    );
    const labels = rows.map(({ label }) => label);
    const sum = rows.reduce((total, { folded }) => total + folded, 0);
    const folded = projection === 'open_carts' ? null : sum;
    if (this.#isNew(`view ${projection}`, { labels, folded }))
      this.views.push({ at: machineTime(), projection, labels, folded });
  }

  async #lookAtTable(client: pg.Client, look: BuildLook): Promise<void> {
    await client.query('begin isolation level repeatable read read only');
    try {
      const [now] = (await client.query<BuildLook>(`select * from (${BUILDS}) b where build = $1`, [look.build])).rows;
      if (now && KEPT.includes(now.state)) {
        const { rows } = await client.query<Row>(`select * from kappa.${pg.escapeIdentifier(now.table_name)}`);
        const { build, projection, version, next } = now;
        this.tables.push({ at: machineTime(), build, projection, version, position: next, rows });
      }
    } finally {
      await client.query('rollback');
    }
  }

  #isNew(name: string, value: unknown): boolean {
    const text = JSON.stringify(value);
    if (this.#seen.get(name) === text) return false;
    this.#seen.set(name, text);
    return true;
  }

  /** One look after the other: each has the connection for itself. */
  #ask<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
    const asked = this.#asked.then(() => this.#askNow(work));
    this.#asked = asked.catch(() => undefined);
    return asked;
  }

  async #askNow<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
    const client = (this.#client ??= await this.#connect());
    try {
      return await work(client);
    } catch (error) {
      this.#client = null;
      await client.end().catch(() => undefined);
      throw error;
    }
  }

  async #connect(): Promise<pg.Client> {
    const client = new pg.Client({
      connectionString: this.url,
      application_name: 'observer',
      statement_timeout: STATEMENT_TIMEOUT_MS,
      lock_timeout: STATEMENT_TIMEOUT_MS,
      connectionTimeoutMillis: STATEMENT_TIMEOUT_MS,
    });
    client.on('error', () => undefined);
    await client.connect();
    return client;
  }
}
