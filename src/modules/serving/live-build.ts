import type { Queryable } from '../../database/database.js';
import { qualified } from '../../database/identifiers.js';
import { KappaError } from '../../kernel/errors.js';
import { parsePosition, type Position } from '../../kernel/position.js';
import type { BuildShape } from '../projections/build.js';
import type { TableDefinition } from '../projections/table.js';

/** The build that the pointer names, and what a reader must know of it to read its table. */
export interface LiveBuild {
  readonly id: number;
  readonly version: number;
  readonly number: number;
  readonly tableName: string;
  /** Names of columns that may hold NULL, as the table stands. */
  readonly nullable: ReadonlySet<string>;
}

const findLiveBuildIn = (schema: string): string => `
  select b.id, b.version, b.number, b.table_name, b.shape
    from ${qualified(schema, 'projections')} p
    join ${qualified(schema, 'builds')} b on b.id = p.active_build
   where p.name = $1`;

/** Resolves the pointer. @throws KAPPA_NO_LIVE_BUILD, KAPPA_READ_MODEL_CHANGED */
export async function findLiveBuild(
  database: Queryable & { readonly schema: string },
  projection: string,
  version: number,
  own: TableDefinition,
): Promise<LiveBuild> {
  const { rows } = await database.query<{ id: number; version: number; number: number; table_name: string; shape: BuildShape }>(
    findLiveBuildIn(database.schema),
    [projection],
  );
  const [row] = rows;
  if (!row) throw noLiveBuild(projection);
  if (row.version !== version) assertReadable(projection, version, own, row.version, row.shape);
  return {
    id: row.id,
    version: row.version,
    number: row.number,
    tableName: row.table_name,
    nullable: new Set(row.shape.columns.filter(({ nullable }) => nullable).map(({ name }) => name)),
  };
}

export function noLiveBuild(projection: string): KappaError {
  return new KappaError('KAPPA_NO_LIVE_BUILD', `projection ${projection} has no live build yet`, {
    facts: { projection },
    nextStep:
      'Wait until its first build is done (`npx nest-kappa projections status`); a process that runs projections makes it.',
  });
}

/** Another version's table serves as long as all columns of the reader's own version stand in it with the same type and key. */
function assertReadable(
  projection: string,
  version: number,
  own: TableDefinition,
  liveVersion: number,
  live: BuildShape,
): void {
  const there = new Map(live.columns.map((column) => [column.name, column.type]));
  const changed = own.columns.flatMap(({ name, type }) => {
    const now = there.get(name);
    return now === type ? [] : [now === undefined ? `${name} is gone` : `${name} was ${type}, is ${now}`];
  });
  const ownKey = own.columns.filter(({ isKey }) => isKey).map(({ name }) => name);
  if (ownKey.length !== live.key.length || ownKey.some((name) => !live.key.includes(name)))
    changed.push(`the key was ${ownKey.join(', ')}, is ${live.key.join(', ')}`);
  if (changed.length === 0) return;
  throw new KappaError(
    'KAPPA_READ_MODEL_CHANGED',
    `projection ${projection} is live in version ${liveVersion}, this code reads version ${version}: ${changed.join('; ')}`,
    {
      facts: { projection, reads: version, live: liveVersion, changed },
      nextStep:
        version > liveVersion
          ? `Swap to version ${version}: npx nest-kappa projections rebuild ${projection} --swap, or projections swap ${projection} where it is built. Until then, run code that reads version ${liveVersion}.`
          : `Deploy code that reads version ${liveVersion}, or roll back.`,
    },
  );
}

/** Progress of a build as one text, in the form that {@link parsePosition} reads. */
export function progressText(schema: string): string {
  return `select string_agg(g.topic || '/' || g.partition || ':' || g.next_offset, ',') from ${qualified(schema, 'progress')} g where g.build_id = p.active_build`;
}

export function progressOf(text: string | null): Position {
  return parsePosition(text ?? '');
}
