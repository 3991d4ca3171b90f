import type { Database, Queryable } from '../../database/database.js';
import { DeadLetterStore } from '../../database/dead-letters/dead-letter-store.js';
import { qualified } from '../../database/identifiers.js';
import { sqlState } from '../../database/database-errors.js';
import { KappaError } from '../../kernel/errors.js';
import { buildLabel, isOnTheWay, type Build, type BuildState } from './build.js';
import type { Builds } from './builds.js';
import { moveIfPossible } from './move-if-possible.js';
import { letterOwner } from './dead-letters/letter-owner.js';
import { lockHolders } from './swap/lock-holders.js';

interface EndContext {
  readonly database: Database;
  readonly builds: Builds;
}

/** States from which a build is dropped when nobody names it. */
const ENDED: readonly BuildState[] = ['retired', 'aborted', 'failed'];

/** A reader may hold the table for a moment; one that holds it for longer is told of. */
const DROP_LOCK_TIMEOUT_MS = 2_000;

/** Ends standby builds, or the named one: they project no longer. @throws KAPPA_BUILD_STATE for a named build that is not standby */
export async function retireBuilds({ builds }: EndContext, name: string, id?: number): Promise<readonly Build[]> {
  const own = await builds.list(name);
  const ending = id === undefined ? own.filter((build) => build.state === 'standby') : own.filter((build) => build.id === id);
  if (id !== undefined && ending.length === 0) throw unknownBuild(name, id);
  const retired: Build[] = [];
  for (const build of ending) {
    // One that nobody named may have been retired by an application meanwhile: then that is done.
    const moved = id === undefined ? await moveIfPossible(builds, build.id, 'retired') : await builds.move(build.id, 'retired');
    if (moved) retired.push(moved);
  }
  return retired;
}

/**
 * Drops the tables of builds that have ended; the named one also when it is still on its way to becoming live.
 * @throws KAPPA_BUILD_STATE for a live or standby build; KAPPA_TABLE_HAS_DEPENDANTS when objects of others stand on the table;
 *         KAPPA_TABLE_HELD when somebody reads it for longer than 2 s
 */
export async function dropBuilds(context: EndContext, name: string, id?: number): Promise<readonly Build[]> {
  const own = await context.builds.list(name);
  const ending = own.filter((build) => (id === undefined ? ENDED.includes(build.state) : build.id === id));
  if (id !== undefined && ending.length === 0) throw unknownBuild(name, id);
  const dropped: Build[] = [];
  for (const build of ending) dropped.push(await dropOne(context, build));
  return dropped;
}

async function dropOne({ database, builds }: EndContext, build: Build): Promise<Build> {
  try {
    if (isOnTheWay(build)) {
      // It cannot be taken back: not for a table that stays.
      await database.transaction(async (on) => {
        await on.query('savepoint before_drop');
        await dropTable(on, database, build);
        await on.query('rollback to savepoint before_drop');
      });
      // By itself, for it fences the build's progress: a batch that waits there has its table, which the drop waits for.
      await builds.move(build.id, 'aborted');
    }
    return await database.transaction(async (on) => {
      const dropped = await builds.move(build.id, 'dropped', { on });
      await dropTable(on, database, build);
      await new DeadLetterStore(database).forget(on, letterOwner(build.id));
      return dropped;
    });
  } catch (error) {
    throw await dropError(database, build, error);
  }
}

async function dropTable(on: Queryable, { schema }: Database, { tableName }: Build): Promise<void> {
  await on.query(`set local lock_timeout = ${DROP_LOCK_TIMEOUT_MS}`);
  await on.query(`drop table if exists ${qualified(schema, tableName)}`);
}

async function dropError(database: Database, build: Build, error: unknown): Promise<unknown> {
  const facts = { build: build.id, table: build.tableName };
  if (sqlState(error) === '55P03') {
    const { holders, text } = await lockHolders(database, [qualified(database.schema, build.tableName)]);
    return new KappaError('KAPPA_TABLE_HELD', `the table of ${buildLabel(build)} is held ${text}`, {
      facts: { ...facts, holders },
      nextStep: 'End that transaction (select pg_terminate_backend(pid)) or drop again later.',
      cause: error,
    });
  }
  if (sqlState(error) !== '2BP01' || !(error instanceof Error)) return error;
  const detail = 'detail' in error && typeof error.detail === 'string' ? error.detail.replaceAll('\n', '; ') : error.message;
  return new KappaError('KAPPA_TABLE_HAS_DEPENDANTS', `the table of ${buildLabel(build)} cannot be dropped: ${detail}`, {
    facts,
    nextStep: 'Let those read the public view instead, or drop them first.',
    cause: error,
  });
}

function unknownBuild(name: string, id: number): KappaError {
  return new KappaError('KAPPA_UNKNOWN_BUILD', `${name} has no build with id ${id}`, {
    facts: { projection: name, build: id },
    nextStep: `See \`npx nest-kappa projections status ${name}\`.`,
  });
}
