import { createHash } from 'node:crypto';
import { codeFingerprint } from '../../kernel/code-fingerprint.js';
import { KappaError } from '../../kernel/errors.js';
import { buildLabel, type Build, type BuildShape } from './build.js';
import type { ProjectionDefinition } from './projection.js';
import type { TableDefinition } from './table.js';

/** What a version is, as stored with each of its builds and compared with what the code declares. */
export interface Fingerprint {
  readonly shape: BuildShape;
  readonly code: string;
}

/**
 * What changed handler code under an unchanged version does: `rebuild` makes the version's next build (development), `warn` goes
 * on (production). `npx nest-kappa projections plan --check` refuses both.
 */
export type CodePolicy = 'rebuild' | 'warn';

export function fingerprintOf(definition: ProjectionDefinition, table: TableDefinition): Fingerprint {
  return { shape: shapeOf(definition, table), code: codeOf(definition) };
}

function shapeOf(definition: ProjectionDefinition, table: TableDefinition): BuildShape {
  const versions = new Map(
    definition.from.flatMap((topic) => topic.events.map((event) => [event.type, event.version] as const)),
  );
  const handled = new Set(definition.handlers.map((handler) => handler.type));
  return {
    columns: table.columns.map(({ name, type, nullable, default: byDefault }) => ({
      name,
      type,
      nullable,
      default: byDefault,
    })),
    key: table.columns.filter((column) => column.isKey).map((column) => column.name),
    topics: definition.from.map(({ name, partitions }) => ({ name, partitions })).sort((a, b) => (a.name < b.name ? -1 : 1)),
    events: [...handled].map((type) => `${type}@${versions.get(type) ?? 1}`).sort(),
  };
}

/**
 * A hash of the code that gives rows their meaning: handlers, their keys, the upcasters of what they handle and the `decode` of
 * their topics, by syntax tree.
 * Functions that these call are not seen.
 */
function codeOf(definition: ProjectionDefinition): string {
  const handlers = definition.handlers.map(({ type, key, run }) => [
    type,
    run.kind,
    codeFingerprint(run.kind === 'fold' ? run.fold : run.handle),
    key === null ? null : codeFingerprint(key),
  ]);
  const handled = new Set(definition.handlers.map((handler) => handler.type));
  const upcasters = definition.from
    .flatMap((topic) => topic.events)
    .filter((event) => handled.has(event.type))
    .flatMap((event) =>
      event.versions.map(({ version, upcast }) => [event.type, version, upcast === null ? null : codeFingerprint(upcast)]),
    );
  // Handlers of one event run in their order; between events no order counts.
  const byType = (a: readonly unknown[], b: readonly unknown[]): number =>
    String(a[0]) < String(b[0]) ? -1 : String(a[0]) > String(b[0]) ? 1 : 0;
  const decoders = definition.from.flatMap(({ name, decode }) => (decode === null ? [] : [[name, codeFingerprint(decode)]]));
  const parts = [definition.tenant, handlers.sort(byType), upcasters.sort(byType)];
  const whole = JSON.stringify(decoders.length === 0 ? parts : [...parts, decoders.sort(byType)]);
  return createHash('sha256').update(whole).digest('hex').slice(0, 32);
}

/** What changed from one shape to the other, in words: `column paid: numeric(10,2) → numeric(12,2)`. The order of columns does not count. */
export function shapeDifferences(stored: BuildShape, declared: BuildShape): readonly string[] {
  const differences: string[] = [];
  const columns = new Map(declared.columns.map((column) => [column.name, column]));
  for (const before of stored.columns) {
    const now = columns.get(before.name);
    columns.delete(before.name);
    if (!now) differences.push(`column ${before.name} (${before.type}) removed`);
    else differences.push(...columnDifferences(before, now));
  }
  for (const added of columns.values()) differences.push(`column ${added.name} (${added.type}) added`);
  if (stored.key.join() !== declared.key.join()) differences.push(`key: ${stored.key.join(', ')} → ${declared.key.join(', ')}`);
  differences.push(
    ...namedDifferences(
      'topic',
      new Map(stored.topics.map(({ name, partitions }) => [name, `${partitions} partitions`])),
      new Map(declared.topics.map(({ name, partitions }) => [name, `${partitions} partitions`])),
    ),
  );
  differences.push(...namedDifferences('event', versionsOf(stored.events), versionsOf(declared.events)));
  return differences;
}

function columnDifferences(before: BuildShape['columns'][number], now: BuildShape['columns'][number]): readonly string[] {
  const differences: string[] = [];
  if (before.type !== now.type) differences.push(`column ${before.name}: ${before.type} → ${now.type}`);
  if (before.nullable !== now.nullable)
    differences.push(`column ${before.name}: ${before.nullable ? 'nullable → not null' : 'not null → nullable'}`);
  if (before.default !== now.default)
    differences.push(`column ${before.name}: default ${before.default ?? 'none'} → ${now.default ?? 'none'}`);
  return differences;
}

function versionsOf(events: readonly string[]): ReadonlyMap<string, string> {
  return new Map(
    events.map((event) => [event.slice(0, event.lastIndexOf('@')), `version ${event.slice(event.lastIndexOf('@') + 1)}`]),
  );
}

function namedDifferences(
  kind: string,
  stored: ReadonlyMap<string, string>,
  declared: ReadonlyMap<string, string>,
): readonly string[] {
  const differences: string[] = [];
  for (const [name, before] of stored) {
    const now = declared.get(name);
    if (now === undefined) differences.push(`${kind} ${name} removed`);
    else if (now !== before) differences.push(`${kind} ${name}: ${before} → ${now}`);
  }
  for (const [name, now] of declared) if (!stored.has(name)) differences.push(`${kind} ${name} (${now}) added`);
  return differences;
}

/** True when the code is that of the build, or was accepted as meaning the same. */
export function isSameCode(build: Pick<Build, 'code'>, code: string): boolean {
  return build.code.split(' ').includes(code);
}

/**
 * Whether a build still is what the code declares of its version.
 * `same`: go on. `rebuild`: its meaning changed, make the version's next build. `warn`: it changed and the policy is to go on.
 * @throws KAPPA_SHAPE_CHANGED when columns, key, topics or events changed under an unchanged version.
 */
export function judgeBuild(build: Build, declared: Fingerprint, policy: CodePolicy): 'same' | 'rebuild' | 'warn' {
  const changes = shapeDifferences(build.shape, declared.shape);
  if (changes.length > 0) {
    throw new KappaError(
      'KAPPA_SHAPE_CHANGED',
      `${build.projection} v${build.version} is declared otherwise than ${buildLabel(build)} was built: ${changes.join('; ')}`,
      {
        facts: { projection: build.projection, version: build.version, build: build.number, changes },
        nextStep: `Declare version ${build.version + 1} beside it, or take the change back.`,
      },
    );
  }
  return isSameCode(build, declared.code) ? 'same' : policy;
}
