import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { Database, Statement } from '../../../database/database.js';
import { qualified } from '../../../database/identifiers.js';
import { keptName } from '../../../database/kept-plans.js';
import type { DeclaredVersion } from '../declared-version.js';

/** A process that was not seen for longer does not run any more. */
const GONE_AFTER_HOURS = 24;

/**
 * Which processes run which versions, with which code: what tells an orphaned build from one that is only slow, and a build that
 * a newer process is about from one that nobody needs. A row per process, renewed while it runs.
 */
export class ProcessRegistry {
  readonly id = randomUUID();
  readonly #sql: ReturnType<typeof statements>;
  readonly #beat: Statement;

  constructor(
    private readonly database: Pick<Database, 'query' | 'schema'>,
    private readonly application: string,
    private readonly declared: readonly DeclaredVersion[],
  ) {
    this.#sql = statements(qualified(database.schema, 'processes'));
    this.#beat = { name: keptName('kappa_beat', this.#sql.beat), text: this.#sql.beat };
  }

  /** Says that this process runs; also after a database came back without its row. */
  async beat(): Promise<void> {
    const versions = this.declared.map(({ definition, fingerprint }) => ({
      projection: definition.name,
      version: definition.version,
      code: fingerprint.code,
    }));
    await this.database.query(this.#beat, [this.id, hostname(), process.pid, this.application, JSON.stringify(versions)]);
  }

  /** Removes what processes left behind that died. */
  async sweep(): Promise<void> {
    await this.database.query(this.#sql.sweep, [GONE_AFTER_HOURS]);
  }

  async leave(): Promise<void> {
    await this.database.query(this.#sql.leave, [this.id]);
  }
}

const statements = (processes: string) => ({
  beat: `
    insert into ${processes} (id, host, pid, application, versions) values ($1, $2, $3, $4, $5)
    on conflict (id) do update set seen_at = clock_timestamp(), versions = excluded.versions`,
  sweep: `delete from ${processes} where seen_at < clock_timestamp() - make_interval(hours => $1)`,
  leave: `delete from ${processes} where id = $1`,
});
