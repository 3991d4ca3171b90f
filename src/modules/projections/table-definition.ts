import { getMetadataArgsStorage } from 'typeorm';
import { quoteIdentifier } from '../../database/identifiers.js';
import { KappaError } from '../../kernel/errors.js';
import { columnDefault, columnType } from './column-type.js';
import type { ProjectionDefinition } from './projection.js';
import type { ColumnDefinition, IndexDefinition, TableDefinition } from './table.js';

type MetadataArgsStorage = ReturnType<typeof getMetadataArgsStorage>;
type ColumnArgs = MetadataArgsStorage['columns'][number];
type Say = (problem: string) => void;

/** Names that PostgreSQL keeps for itself in every table. */
const SYSTEM_COLUMNS = new Set(['tableoid', 'xmin', 'cmin', 'xmax', 'cmax', 'ctid']);

/** Types that are equal exactly when their texts are, so that a key means the same in memory and in the table. */
const KEY_TYPES = /^(text|uuid|smallint|integer|bigint|boolean|date|numeric\(.*\)|character varying.*|timestamp with.*)$/;

const SPECIAL_COLUMNS: Readonly<Record<string, string>> = {
  createDate: '@CreateDateColumn: take recordedAt or occurredAt of the event',
  updateDate: '@UpdateDateColumn: take recordedAt or occurredAt of the event',
  deleteDate: '@DeleteDateColumn: return null from the fold, or use a column of your own',
  version: '@VersionColumn: take stream.version of the event',
  virtual: 'a virtual column',
  'virtual-property': '@VirtualColumn: compute it in the fold',
  treeLevel: 'a tree column',
  treeChildrenCount: 'a tree column',
  objectId: '@ObjectIdColumn',
};

/**
 * The table that a projection's entity describes. What TypeORM noted of the class is read as it stands, without a DataSource:
 * building one would touch the application's own (`BaseEntity.useDataSource`), and needs no connection for what is asked here.
 * @throws KAPPA_BAD_TABLE that lists every unsupported feature of the entity by name.
 */
export function tableDefinition(projection: ProjectionDefinition): TableDefinition {
  const problems: string[] = [];
  const say: Say = (problem) => void problems.push(problem);
  const storage = getMetadataArgsStorage();
  const classes = inheritanceOf(projection.table);

  refuseEntityFeatures(storage, projection.table, classes, say);
  const columns = columnsOf(storage, classes, say);
  const key = columns.filter((column) => column.isKey).map((column) => column.property);
  checkKey(projection, columns, key, say);
  const indexes = indexesOf(storage, classes, columns, say);

  if (problems.length > 0) {
    const name = projection.table.name;
    throw new KappaError(
      'KAPPA_BAD_TABLE',
      `projection ${projection.name} v${projection.version} cannot use the entity ${name}:\n${problems.map((problem) => `  - ${problem}`).join('\n')}\n`.trimEnd(),
      {
        facts: { projection: projection.name, version: projection.version, entity: name, problems },
        nextStep: 'Correct the entity.',
      },
    );
  }
  return Object.freeze({ columns: Object.freeze(columns), key: Object.freeze(key), indexes: Object.freeze(indexes) });
}

/** The class and the classes it extends, the class itself first. */
function inheritanceOf(entity: ProjectionDefinition['table']): readonly unknown[] {
  const classes: unknown[] = [];
  for (let one: unknown = entity; typeof one === 'function' && one !== Function.prototype; one = Object.getPrototypeOf(one))
    classes.push(one);
  return classes;
}

function refuseEntityFeatures(storage: MetadataArgsStorage, entity: unknown, classes: readonly unknown[], say: Say): void {
  const table = storage.tables.find((args) => args.target === entity);
  if (!table) return say('it is not decorated with @Entity');
  if (table.type !== 'regular') say(`it is a TypeORM ${table.type}: use a plain @Entity`);
  if (table.synchronize !== false)
    say('it may be synchronised by TypeORM: write @Entity({ …, synchronize: false }), the table itself is ours');

  const own = <A extends { readonly target: unknown }>(all: readonly A[]): A[] =>
    all.filter((args) => classes.includes(args.target));
  for (const { propertyName, relationType } of own(storage.relations))
    say(`${propertyName} is a relation (${relationType}): keep the other's key as a column`);
  for (const { propertyName } of own(storage.relationIds)) say(`${propertyName} is a relation id`);
  for (const { propertyName } of own(storage.embeddeds))
    say(`${propertyName} is embedded: declare its columns, or one jsonb column`);
  for (const { propertyName } of own(storage.generations))
    say(`${propertyName} is a generated column: the fold gives every value`);
  for (const { columns, name } of own(storage.uniques))
    say(
      `${Array.isArray(columns) ? columns.join(', ') : (name ?? 'something')} is unique: claim unique values in the aggregate`,
    );
  for (const { name, expression } of own(storage.checks)) say(`check ${name ?? expression}: check in the aggregate`);
  for (const { name, expression } of own(storage.exclusions)) say(`exclusion ${name ?? expression}`);
  for (const { propertyName, type } of own(storage.entityListeners))
    say(`${propertyName} is a listener (${type}): rows are not written through TypeORM`);
  for (const { type } of own(storage.trees)) say(`it is a tree (${type})`);
  if (storage.inheritances.some((args) => classes.includes(args.target)))
    say('it is part of an entity inheritance: declare one entity a projection');
}

function columnsOf(storage: MetadataArgsStorage, classes: readonly unknown[], say: Say): ColumnDefinition[] {
  const seen = new Map<string, ColumnArgs>();
  for (const args of storage.columns) {
    if (!classes.includes(args.target)) continue;
    const before = seen.get(args.propertyName);
    // A class that declares a column of its parent again means its own.
    if (!before || classes.indexOf(args.target) < classes.indexOf(before.target)) seen.set(args.propertyName, args);
  }
  const columns: ColumnDefinition[] = [];
  for (const args of seen.values()) {
    const column = columnOf(args, say);
    if (!column) continue;
    if (columns.some((other) => other.name === column.name)) say(`${column.property} is a second column named ${column.name}`);
    columns.push(column);
  }
  if (seen.size === 0) say('it has no columns');
  return columns;
}

function columnOf(args: ColumnArgs, say: Say): ColumnDefinition | null {
  const { propertyName: property, options, mode } = args;
  const special = SPECIAL_COLUMNS[mode];
  if (special !== undefined) return refused(say, `${property} is ${special}`);
  if (options.asExpression !== undefined || options.generatedIdentity !== undefined)
    return refused(say, `${property} is a generated column: the fold gives every value`);
  const name = options.name ?? property;
  try {
    quoteIdentifier(name);
  } catch {
    return refused(say, `${property} has a column name that PostgreSQL cannot keep whole: use 1 to 63 bytes`);
  }
  if (SYSTEM_COLUMNS.has(name)) return refused(say, `${property} is named ${name}, which every PostgreSQL table has already`);
  const type = columnType(options, declaredType(args));
  if ('refused' in type) return refused(say, `${property} ${type.refused}`);
  return Object.freeze({
    property,
    name,
    ...type,
    nullable: options.nullable === true,
    isKey: options.primary === true,
    default: columnDefault(options),
  });
}

function refused(say: Say, problem: string): null {
  say(problem);
  return null;
}

/** The property's type as `emitDecoratorMetadata` wrote it; null without it. */
function declaredType({ target, propertyName }: ColumnArgs): string | null {
  if (typeof target !== 'function' || !('getMetadata' in Reflect)) return null;
  const read = Reflect.getMetadata as (key: string, target: object, property: string) => unknown;
  const type = read('design:type', target.prototype as object, propertyName);
  return typeof type === 'function' ? type.name : null;
}

function checkKey(
  projection: ProjectionDefinition,
  columns: readonly ColumnDefinition[],
  key: readonly string[],
  say: Say,
): void {
  if (key.length === 0 && columns.length > 0) say('it has no primary column: mark the key with @PrimaryColumn');
  for (const column of columns) {
    if (!column.isKey) continue;
    if (column.nullable) say(`${column.property} is a key and nullable`);
    if (!KEY_TYPES.test(column.type)) {
      say(
        `${column.property} is a key of type ${column.type}: ${column.type === 'numeric' ? 'give it precision and scale' : 'use text, varchar, uuid, an integer type, numeric(p,s), date, boolean or a timestamp'}`,
      );
    }
  }
  const tenant = columns.find((column) => column.property === projection.tenant);
  if (projection.tenant !== null && !(tenant?.isKey && tenant.type === 'text'))
    say(`the tenant column ${projection.tenant} must be a @PrimaryColumn of type text`);

  const byStream = projection.handlers.filter((handler) => handler.key === null && handler.run.kind === 'fold');
  if (byStream.length === 0) return;
  const own = columns.filter((column) => column.isKey && column !== tenant);
  if (own.length !== 1 || own[0]?.value !== 'string') {
    const types = [...new Set(byStream.map((handler) => handler.type))].join(', ');
    say(
      `${types} is keyed by the stream's id, which needs exactly one primary column${projection.tenant === null ? '' : ' besides the tenant'}, of text: it has ${own.length === 0 ? 'none' : own.map((column) => `${column.property} (${column.type})`).join(', ')}; give those handlers a key`,
    );
  }
}

function indexesOf(
  storage: MetadataArgsStorage,
  classes: readonly unknown[],
  columns: readonly ColumnDefinition[],
  say: Say,
): IndexDefinition[] {
  const indexes: IndexDefinition[] = [];
  for (const args of storage.indices) {
    if (!classes.includes(args.target)) continue;
    const properties = indexedProperties(args.columns, columns);
    const label = `the index on ${properties.join(', ') || (args.name ?? 'nothing')}`;
    if (args.unique === true) {
      say(`${label} is unique: claim unique values in the aggregate`);
      continue;
    }
    if (
      args.spatial === true ||
      args.fulltext === true ||
      ('type' in args && args.type !== undefined && args.type !== 'btree')
    ) {
      say(`${label} is not a plain one (btree)`);
      continue;
    }
    const names = properties.map((property) => columns.find((column) => column.property === property)?.name);
    const unknown = properties.filter((_, at) => names[at] === undefined);
    if (unknown.length > 0 || names.length === 0) say(`${label} names ${unknown.join(', ') || 'no column'}`);
    else indexes.push(Object.freeze({ columns: names as string[], where: args.where ?? null }));
  }
  return indexes;
}

/** `['a', 'b']`, `(row) => [row.a, row.b]` or `(row) => ({ a: 1, b: -1 })`: all three are TypeORM's. */
function indexedProperties(
  given: MetadataArgsStorage['indices'][number]['columns'],
  columns: readonly ColumnDefinition[],
): readonly string[] {
  if (typeof given !== 'function') return given ?? [];
  const result = given(Object.fromEntries(columns.map((column) => [column.property, column.property])));
  return Array.isArray(result) ? result.map(String) : Object.keys(result);
}
