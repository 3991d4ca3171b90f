import type { Database, Queryable, Statement } from '../../database/database.js';
import { DeadLetterStore } from '../../database/dead-letters/dead-letter-store.js';
import { quoteIdentifier } from '../../database/identifiers.js';
import { keptName } from '../../database/kept-plans.js';
import { moveParameters, type ProgressMove, type Writes } from '../../database/partition-progress.js';
import { KappaError } from '../../kernel/errors.js';
import { partitionKey, type PartitionKey, parsePartitionKey } from '../../kernel/position.js';
import {
  buildLabel,
  TRANSITIONS,
  type AdvanceOutcome,
  type Build,
  type BuildError,
  type BuildState,
  type Claim,
  type PartitionProgress,
} from './build.js';
import { buildOf, progressOf, type BuildRow, type ProgressRow } from './build-row.js';
import { buildStatements, type BuildStatements } from './build-statements.js';
import { buildTableName } from './build-table-name.js';
import type { Builds, NewBuild } from './builds.js';
import { letterOwner } from './dead-letters/letter-owner.js';

/** Builds and their progress in our schema of PostgreSQL. */
export class BuildStore implements Builds {
  readonly #sql: BuildStatements;
  /** Asked all the time by every process that projects. */
  readonly #list: Statement;
  readonly #letters: DeadLetterStore;

  /** `changed` is told what this process changes of a build, in a transaction of the caller's perhaps before it is committed. */
  constructor(
    private readonly database: Database,
    private readonly changed: () => void = () => undefined,
  ) {
    this.#sql = buildStatements(quoteIdentifier(database.schema));
    this.#list = { name: keptName('kappa_builds', this.#sql.list), text: this.#sql.list };
    this.#letters = new DeadLetterStore(database);
  }

  async create(build: NewBuild): Promise<Build> {
    const made = await this.database.transaction(async (on) => {
      await on.query(this.#sql.addProjection, [build.projection]);
      // Numbers are given one after another: the projection's row is the lock.
      await on.query(this.#sql.lockProjection, [build.projection]);
      const { rows: numbers } = await on.query<{ number: number }>(this.#sql.nextNumber, [build.projection, build.version]);
      const number = numbers[0]?.number ?? 1;
      const tableName = buildTableName(build.projection, build.version, number);
      const { rows } = await on.query<BuildRow>(this.#sql.insertBuild, [
        build.projection,
        build.version,
        number,
        build.state,
        tableName,
        JSON.stringify(build.shape),
        build.code,
        build.swapWhenReady,
        build.swapGroup,
      ]);
      const made = buildOf(rows[0] as BuildRow);
      const lines = build.topics.flatMap(({ description, begins }) =>
        begins.map((begin, partition) => ({ topic: description.name, partition, begin, incarnation: description.incarnation })),
      );
      await on.query(this.#sql.insertProgress, [
        made.id,
        lines.map((line) => line.topic),
        lines.map((line) => line.partition),
        lines.map((line) => line.begin),
        lines.map((line) => line.incarnation),
        build.log.driver,
        build.log.cluster,
      ]);
      const { rows: former } = await on.query<{ build_id: number; topic: string }>(this.#sql.sameTopics, [
        build.projection,
        made.id,
      ]);
      await this.#letters.inherit(
        on,
        letterOwner(made.id),
        former.map(({ build_id, topic }) => ({ owner: letterOwner(build_id), topic })),
      );
      await this.audit({
        projection: build.projection,
        build: made.id,
        action: 'create',
        facts: { version: build.version, number, state: build.state, tableName },
        on,
      });
      return made;
    });
    this.changed();
    return made;
  }

  async get(id: number): Promise<Build | null> {
    return this.#one(this.database, this.#sql.get, [id]);
  }

  async list(projection?: string): Promise<readonly Build[]> {
    const { rows } = await this.database.query<BuildRow>(this.#list, [projection ?? null]);
    return rows.map(buildOf);
  }

  async active(projection: string): Promise<Build | null> {
    return this.#one(this.database, this.#sql.active, [projection]);
  }

  async move(
    build: number,
    to: BuildState,
    options: { readonly error?: BuildError | null; readonly standbyUntil?: Date | null; readonly on?: Queryable } = {},
  ): Promise<Build> {
    const from = (Object.keys(TRANSITIONS) as BuildState[]).filter((state) => TRANSITIONS[state].includes(to));
    const on = options.on ?? this.database;
    const moved = await this.#one(on, this.#sql.move, [
      build,
      to,
      from,
      options.error === undefined || options.error === null ? null : JSON.stringify(options.error),
      options.standbyUntil ?? null,
      // Nobody works on it any more: a runner that does not know it yet is fenced. Before it is dropped, so that a drop, which
      // waits for the table, holds no line that a batch under way waits for.
      to === 'retired' || to === 'aborted',
    ]);
    if (moved) {
      this.changed();
      return moved;
    }
    const found = await this.#one(on, this.#sql.get, [build]);
    throw new KappaError(
      'KAPPA_BUILD_STATE',
      found ? `${buildLabel(found)} is ${found.state} and cannot become ${to}` : `build ${build} does not exist`,
      {
        facts: { build, state: found?.state ?? null, to, from },
        nextStep: found
          ? `Only ${from.join(', ') || 'no'} builds become ${to}; see \`npx nest-kappa projections status ${found.projection}\`.`
          : 'See `npx nest-kappa projections list`.',
      },
    );
  }

  async setError(build: number, error: BuildError | null): Promise<void> {
    await this.database.query(this.#sql.setError, [build, error === null ? null : JSON.stringify(error)]);
    this.changed();
  }

  async accept(build: number, code: string, facts: Readonly<Record<string, unknown>>): Promise<Build> {
    const accepted = await this.database.transaction(async (on) => {
      const accepted = await this.#one(on, this.#sql.accept, [build, code]);
      if (!accepted) throw unknownBuild(build);
      await this.audit({ projection: accepted.projection, build, action: 'accept', facts: { ...facts, code }, on });
      return accepted;
    });
    this.changed();
    return accepted;
  }

  async swapWhenReady(build: number, group: string | null): Promise<Build> {
    const changed = await this.#one(this.database, this.#sql.swapBy, [build, group]);
    if (!changed) throw unknownBuild(build);
    this.changed();
    return changed;
  }

  async group(group: string): Promise<readonly Build[]> {
    const { rows } = await this.database.query<BuildRow>(this.#sql.group, [group]);
    return rows.map(buildOf);
  }

  async endGroup(group: string, because: readonly Build[]): Promise<readonly Build[]> {
    const facts = { group, because: because.map((build) => ({ build: build.id, state: build.state })) };
    const { rows } = await this.database.query<BuildRow>(this.#sql.endGroup, [group, JSON.stringify(facts)]);
    this.changed();
    return rows.map(buildOf);
  }

  async progress(build: number): Promise<readonly PartitionProgress[]> {
    const { rows } = await this.database.query<ProgressRow>(this.#sql.progress, [build]);
    return rows.map(progressOf);
  }

  async claim(build: number, partitions: readonly PartitionKey[]): Promise<readonly Claim[]> {
    const wanted = partitions.map(parsePartitionKey);
    const { rows } = await this.database.query<ProgressRow>(this.#sql.claim, [
      build,
      wanted.map((line) => line.topic),
      wanted.map((line) => line.partition),
    ]);
    // The statement saw the state of its begin, and may have waited for a `move` that ended the build and fenced these lines.
    const ended = !CLAIMABLE.includes((await this.get(build))?.state ?? 'dropped');
    if (ended || rows.length !== wanted.length) await this.#refuseClaim(build, partitions, rows);
    return rows.map(progressOf).map(({ topic, partition, nextOffset, ownerEpoch, holdAt }) => ({
      topic,
      partition,
      nextOffset,
      epoch: ownerEpoch,
      holdAt,
    }));
  }

  async #refuseClaim(build: number, partitions: readonly PartitionKey[], claimed: readonly ProgressRow[]): Promise<never> {
    const found = await this.get(build);
    if (found && !CLAIMABLE.includes(found.state)) {
      throw new KappaError('KAPPA_BUILD_STATE', `${buildLabel(found)} is ${found.state}: nobody projects it`, {
        facts: { build, state: found.state },
        nextStep: found.error ? `It stopped with ${found.error.code}; correct that and rebuild.` : 'Leave it.',
      });
    }
    const known = claimed.map((line) => partitionKey(line.topic, line.partition));
    throw new KappaError(
      'KAPPA_UNKNOWN_PARTITION',
      `${found ? buildLabel(found) : `build ${build}`} has no progress for ${partitions.filter((key) => !known.includes(key)).join(', ')}`,
      {
        facts: { build, wanted: partitions, known },
        nextStep: 'The topics of the definition are not those the build was made with: raise the version.',
      },
    );
  }

  async advance(on: Queryable, build: number, moves: readonly ProgressMove[]): Promise<AdvanceOutcome> {
    if (moves.length === 0) return 'advanced';
    const { rows } = await on.query<{ outcome: AdvanceOutcome; moved: number }>(
      this.#sql.advance,
      moveParameters(build, moves),
    );
    const { outcome, moved } = rows[0] as { outcome: AdvanceOutcome; moved: number };
    return outcome === 'advanced' && moved !== moves.length ? 'fenced' : outcome;
  }

  async advanceAndWrite(on: Queryable, build: number, moves: readonly ProgressMove[], writes: Writes): Promise<AdvanceOutcome> {
    const { rows } = await on.query<{ outcome: AdvanceOutcome }>(this.#sql.advanceAndWrite(writes.statements), [
      ...moveParameters(build, moves),
      ...writes.values,
    ]);
    return rows[0]?.outcome ?? 'fenced';
  }

  async stands(
    on: Queryable,
    build: number,
    { topic, partition, epoch, from }: Omit<ProgressMove, 'to'>,
  ): Promise<AdvanceOutcome> {
    const { rows } = await on.query<{ outcome: AdvanceOutcome }>(this.#sql.stands, [build, topic, partition, epoch, from]);
    return rows[0]?.outcome ?? 'fenced';
  }

  async lease(build: number, worker: string, forMs: number): Promise<boolean> {
    const { rowCount } = await this.database.query(this.#sql.lease, [build, worker, forMs]);
    return rowCount > 0;
  }

  async release(build: number, worker: string): Promise<void> {
    await this.database.query(this.#sql.release, [build, worker]);
  }

  async isLeased(build: number): Promise<boolean> {
    const { rows } = await this.database.query<{ leased: boolean }>(this.#sql.isLeased, [build]);
    return rows[0]?.leased ?? false;
  }

  async audit(entry: {
    readonly projection: string;
    readonly build: number | null;
    readonly action: string;
    readonly facts: Readonly<Record<string, unknown>>;
    readonly on?: Queryable;
  }): Promise<void> {
    await (entry.on ?? this.database).query(this.#sql.audit, [
      entry.projection,
      entry.build,
      entry.action,
      JSON.stringify(entry.facts),
    ]);
  }

  async #one(on: Queryable, statement: string, values: readonly unknown[]): Promise<Build | null> {
    const { rows } = await on.query<BuildRow>(statement, values);
    return rows[0] ? buildOf(rows[0]) : null;
  }
}

/** States in which a runner may own partitions. */
export const CLAIMABLE: readonly BuildState[] = ['building', 'catching-up', 'ready', 'live', 'standby'];

function unknownBuild(build: number): KappaError {
  return new KappaError('KAPPA_UNKNOWN_BUILD', `build ${build} does not exist`, {
    facts: { build },
    nextStep: 'See `npx nest-kappa projections list`.',
  });
}
