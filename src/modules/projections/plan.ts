import { NO_LETTERS } from '../../database/dead-letters/dead-letter.js';
import { DeadLetterStore } from '../../database/dead-letters/dead-letter-store.js';
import { quoteIdentifier } from '../../database/identifiers.js';
import { KappaError } from '../../kernel/errors.js';
import { buildLabel, type Build } from './build.js';
import { sizesOf, type StatusContext } from './build-status.js';
import { letterOwner } from './dead-letters/letter-owner.js';
import { fingerprintOf, isSameCode, shapeDifferences } from './fingerprint.js';
import type { PlanEntry } from './operations.js';
import { definitionOf } from './processes.js';
import type { ProjectionDefinition } from './projection.js';
import { columnChanges, findView } from './swap/public-view.js';
import { describeGrants } from './swap/view-belongings.js';
import { dependantsOf } from './swap/view-dependants.js';
import type { TableDefinition } from './table.js';
import { tableDefinition } from './table-definition.js';

/** Events a second of the last build of this projection, by what was noted when its state changed. */
const LAST_RATE = (schema: string): string => `
  select ((done.facts ->> 'at')::numeric - (begun.facts ->> 'at')::numeric) / nullif(extract(epoch from done.at - begun.at), 0) as rate
  from ${schema}.projection_audit begun
  join ${schema}.projection_audit done on done.build_id = begun.build_id and done.action = 'state' and done.facts ->> 'to' = 'catching-up'
  where begun.projection = $1 and begun.action = 'state' and begun.facts ->> 'to' = 'building'
  order by done.id desc
  limit 1`;

type Verdict = Pick<PlanEntry, 'action' | 'changes' | 'next'>;

/** What would have to be done so that readers see what the loaded definitions declare; nothing is changed by it. */
export async function planProjections(context: StatusContext, names: readonly string[] = []): Promise<readonly PlanEntry[]> {
  const entries: PlanEntry[] = [];
  const wanted = context.projections.filter(({ name }) => names.length === 0 || names.includes(name));
  for (const definition of [...wanted].sort(byNameAndVersion)) entries.push(await planOne(context, definition));
  return entries;
}

async function planOne(context: StatusContext, definition: ProjectionDefinition): Promise<PlanEntry> {
  const { database, builds } = context;
  const table = tableDefinition(definition);
  const all = await builds.list(definition.name);
  const active = await builds.active(definition.name);
  const judged = judge(definition, table, all, active);
  const verdict =
    (judged.action === 'none' && (notLoaded(context.projections, definition, all, active) ?? stopped(definition, active))) ||
    judged;
  const own = all.filter(({ version }) => version === definition.version).at(-1);
  const letters = own ? await new DeadLetterStore(database).countsOf(letterOwner(own.id)) : NO_LETTERS;
  const about = { projection: definition.name, version: definition.version, letters };
  if (verdict.action === 'none')
    return { ...about, ...verdict, estimate: { events: 0, seconds: null, bytes: null }, dependants: [] };

  const isBuilt = verdict.action === 'swap-pending' || (verdict.action === 'live-not-loaded' && own?.state === 'standby');
  const events = isBuilt ? 0 : await eventsOf(context, definition);
  const { rows } = await database.query<{ rate: string | null }>(LAST_RATE(quoteIdentifier(database.schema)), [
    definition.name,
  ]);
  const rate = Number(rows[0]?.rate ?? 0);
  const like = active ?? all.at(-1) ?? null;
  const bytes = like ? ((await sizesOf(database, [like])).get(like.tableName)?.bytes ?? null) : null;
  const { dependants, refused } = await dependantsOfSwap(context, definition, table);
  return {
    ...about,
    ...verdict,
    changes: [...verdict.changes, ...refused],
    estimate: { events, seconds: rate > 0 ? Math.ceil(events / rate) : null, bytes },
    dependants,
  };
}

/**
 * The live version stands in no loaded definition: deployed alone, this code would leave the table that readers see standing
 * still. Whether a process with other code moves it now does not matter to that.
 */
function notLoaded(
  loaded: readonly ProjectionDefinition[],
  { name, version }: ProjectionDefinition,
  all: readonly Build[],
  active: Build | null,
): Verdict | null {
  if (!active || definitionOf(active, loaded)) return null;
  if (loaded.some((other) => other.name === name && other.version > version)) return null;
  const own = newestOf(all, version);
  const back = own
    ? `npx nest-kappa projections rollback ${name} --build ${own.id}`
    : `npx nest-kappa projections rebuild ${name}@${version} --swap`;
  return {
    action: 'live-not-loaded',
    changes: [`v${active.version} is live, and its code is not loaded`],
    next: `${back}; or deploy code with v${active.version}`,
  };
}

/** What readers see goes on no more, though its code is what it was built with. */
function stopped({ name, version }: ProjectionDefinition, active: Build | null): Verdict | null {
  if (!active?.error || active.version !== version) return null;
  const rebuild = `npx nest-kappa projections rebuild ${name}@${version} --swap`;
  return {
    action: 'stopped',
    changes: [stopText(active)],
    next:
      NEXT_AFTER_STOP[active.error.code]?.(rebuild) ?? `Correct what stopped it and start the application again, or ${rebuild}`,
  };
}

const NEXT_AFTER_STOP: Readonly<Record<string, (rebuild: string) => string>> = {
  KAPPA_LOG_CHANGED: (rebuild) => `Use the log that it was built from, or build from this one: ${rebuild}`,
  KAPPA_LOG_TRUNCATED: (rebuild) => `Restore the log, or accept the gap: ${rebuild} --from-retained`,
};

/** The message bears the code, but for errors that are not ours. */
function stopText(build: Build): string {
  const { code = '', message = '' } = build.error ?? {};
  return `${buildLabel(build)} stopped: ${message.startsWith(code) ? message : `${code}: ${message}`}`;
}

/** The newest build of a version that has not ended. */
function newestOf(all: readonly Build[], version: number): Build | undefined {
  return all.filter((build) => build.version === version && build.state !== 'retired' && build.state !== 'aborted').at(-1);
}

function judge(definition: ProjectionDefinition, table: TableDefinition, all: readonly Build[], active: Build | null): Verdict {
  const { name, version } = definition;
  const rebuild = `npx nest-kappa projections rebuild ${name}@${version} --swap`;
  const own = newestOf(all, version);
  if (!own) {
    if (active && active.version > version)
      return { action: 'none', changes: [], next: `v${active.version} is live; nothing is built of v${version}.` };
    return active
      ? {
          action: 'rebuild-needed',
          changes: shapeDifferences(active.shape, fingerprintOf(definition, table).shape),
          next: rebuild,
        }
      : { action: 'first-build', changes: [], next: `Start the application, or ${rebuild}` };
  }
  const declared = fingerprintOf(definition, table);
  const changes = shapeDifferences(own.shape, declared.shape);
  if (changes.length > 0)
    return { action: 'shape-changed', changes, next: `Declare version ${version + 1} beside it, or take the change back.` };
  if (!isSameCode(own, declared.code)) {
    return {
      action: 'code-changed',
      changes: [`the handlers changed since ${buildLabel(own)} was built`],
      next: `${rebuild}; or npx nest-kappa projections accept ${name}, when they mean the same.`,
    };
  }
  if (own.state === 'failed')
    return {
      action: 'rebuild-needed',
      changes: [`${buildLabel(own)} failed: ${own.error?.message ?? 'see status'}`],
      next: rebuild,
    };
  if (own.state === 'live' || own.state === 'standby')
    return {
      action: 'none',
      changes: [],
      next: own.state === 'live' ? 'Nothing to do.' : `It stands by; v${active?.version ?? '?'} is live.`,
    };
  return {
    action: 'swap-pending',
    changes: [`${buildLabel(own)} is ${own.state}`],
    next:
      own.state === 'ready' ? `npx nest-kappa projections swap ${name}` : `Wait until it is ready, or carry it out: ${rebuild}`,
  };
}

async function eventsOf({ log }: StatusContext, definition: ProjectionDefinition): Promise<number> {
  let events = 0;
  for (const topic of definition.from) {
    if ((await log.describeTopic(topic.name)) === null) continue;
    for (const { begin, end } of await log.offsets(topic.name)) events += end - begin;
  }
  return events;
}

/** What stands on the public view, and what the swap would do to it. */
async function dependantsOfSwap(
  { database }: StatusContext,
  definition: ProjectionDefinition,
  table: TableDefinition,
): Promise<{ readonly dependants: PlanEntry['dependants']; readonly refused: readonly string[] }> {
  const view = await findView(database, database, definition.name).catch((error: unknown) => {
    if (error instanceof KappaError) return error;
    throw error;
  });
  if (view === null) return { dependants: [], refused: [] };
  if (view instanceof KappaError) return { dependants: [], refused: [view.message] };
  const inPlace =
    columnChanges(
      view.columns.map(({ name, type }) => ({ name, type })),
      table.columns,
    ).length === 0;
  const others = await dependantsOf(database, view.oid);
  const grants = await describeGrants(database, view);
  return {
    dependants: [
      ...others.map((other) => ({ ...other, effect: inPlace ? ('kept' as const) : ('refused' as const) })),
      ...grants.map((name) => ({ kind: 'grant', name, effect: inPlace ? ('kept' as const) : ('restored' as const) })),
    ],
    refused: [],
  };
}

function byNameAndVersion(a: ProjectionDefinition, b: ProjectionDefinition): number {
  return a.name === b.name ? a.version - b.version : a.name < b.name ? -1 : 1;
}
