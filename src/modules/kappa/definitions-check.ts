import { quoteIdentifier } from '../../database/identifiers.js';
import { KappaError } from '../../kernel/errors.js';
import type { AnyEvent } from '../../kernel/event.js';
import type { AnyTopic } from '../../kernel/topic.js';
import { aggregateDefinition, type AggregateDefinition } from '../aggregates/aggregate.js';
import { policyDefinition, type PolicyDefinition } from '../policies/policy.js';
import { projectionDefinition, type ProjectionDefinition } from '../projections/projection.js';
import { tableDefinition } from '../projections/table-definition.js';
import type { KappaDefinitions } from './kappa-options.js';

/** What an application declares, classes resolved to the definitions behind them, each once. */
export interface ResolvedDefinitions {
  readonly aggregates: readonly AggregateDefinition[];
  readonly projections: readonly ProjectionDefinition[];
  readonly policies: readonly PolicyDefinition[];
  /** Every topic that one of them names, by name. */
  readonly topics: readonly AnyTopic[];
}

/** Resolves the lists; what is wrong or declared twice is added to `problems`. */
export function checkDefinitions(given: KappaDefinitions, problems: string[]): ResolvedDefinitions {
  const aggregates = resolve('aggregates', given.aggregates, aggregateOf, problems);
  const projections = resolve('projections', given.projections, projectionOf, problems);
  const policies = resolve('policies', given.policies, policyOf, problems);
  twice(aggregates, ({ name }) => `aggregate ${name}`, 'give each its own name', problems);
  twice(projections, ({ name, version }) => `projection ${name} version ${version}`, 'raise the version of one', problems);
  twice(policies, ({ name }) => `policy ${name}`, 'give each its own name', problems);
  checkCommands(aggregates, problems);
  for (const { name, topic } of aggregates) {
    if (topic.decode !== null)
      problems.push(
        `aggregate ${name} writes to topic ${topic.name}, which has decode; read what others write from a topic of its own`,
      );
  }
  for (const definition of projections) checkProjection(definition, problems);
  for (const name of new Set(projections.map((one) => one.name)))
    if (!isIdentifier(name)) problems.push(`projection ${name} cannot name a view; use at most 63 bytes`);
  for (const { name, handlers } of policies)
    if (handlers.length === 0) problems.push(`policy ${name} has no handlers; add .on(…), and list what it returns`);
  const topics = [
    ...aggregates.map(({ topic }) => topic),
    ...projections.flatMap(({ from }) => from),
    ...policies.flatMap(({ from }) => from),
  ];
  checkTopics(topics, problems);
  for (const { name, version, from } of projections) checkEventsOf(`projection ${name} version ${version}`, from, problems);
  for (const { name, from } of policies) checkEventsOf(`policy ${name}`, from, problems);
  return { aggregates, projections, policies, topics: [...new Map(topics.map((one) => [one.name, one])).values()] };
}

function resolve<D>(list: string, entries: unknown, definitionOf: (entry: unknown) => D, problems: string[]): D[] {
  if (entries === undefined) return [];
  if (!Array.isArray(entries)) {
    problems.push(`${list} must be a list`);
    return [];
  }
  // One value may be listed by several modules; it is one definition.
  return [...new Set<unknown>(entries)].flatMap((entry, index) => {
    try {
      return [definitionOf(entry)];
    } catch (error) {
      if (!(error instanceof KappaError)) throw error;
      problems.push(`${list}[${index}]: ${error.message}`);
      return [];
    }
  });
}

function aggregateOf(entry: unknown): AggregateDefinition {
  const kind = kindOf(entry);
  if (kind === 'aggregate-builder')
    throw wrongEntry('is an aggregate without .evolve(…)', 'List what .evolve(…).decide(…) returns.');
  if (kind !== 'aggregate' && kind !== 'class') throw wrongEntry(`is ${describe(entry)}, not an aggregate`, adviceFor(entry));
  return aggregateDefinition(entry as AggregateDefinition | (new () => object));
}

function projectionOf(entry: unknown): ProjectionDefinition {
  const kind = kindOf(entry);
  if (kind !== 'projection' && kind !== 'class') throw wrongEntry(`is ${describe(entry)}, not a projection`, adviceFor(entry));
  return projectionDefinition(entry as ProjectionDefinition | (new () => object));
}

function policyOf(entry: unknown): PolicyDefinition {
  const kind = kindOf(entry);
  if (kind !== 'policy' && kind !== 'class') throw wrongEntry(`is ${describe(entry)}, not a policy`, adviceFor(entry));
  return policyDefinition(entry as PolicyDefinition | (new () => object));
}

function kindOf(entry: unknown): string | null {
  if (typeof entry === 'function') return 'class';
  return typeof entry === 'object' && entry !== null && 'kind' in entry ? String(entry.kind) : null;
}

function wrongEntry(what: string, nextStep: string): KappaError {
  return new KappaError('KAPPA_BAD_DEFINITION', what, { nextStep });
}

function describe(entry: unknown): string {
  return kindOf(entry) === null
    ? entry === null || typeof entry !== 'object'
      ? String(entry)
      : 'an object'
    : `of kind ${kindOf(entry)}`;
}

function adviceFor(entry: unknown): string {
  return entry === undefined
    ? 'An import may be circular: move the definition to a file of its own.'
    : 'List definitions or decorated classes.';
}

function twice<D>(definitions: readonly D[], nameOf: (definition: D) => string, advice: string, problems: string[]): void {
  const names = definitions.map(nameOf);
  for (const name of new Set(names.filter((one, index) => names.indexOf(one) !== index)))
    problems.push(`${name} is declared twice; ${advice}`);
}

function checkCommands(aggregates: readonly AggregateDefinition[], problems: string[]): void {
  const owners = new Map<unknown, string>();
  for (const { name, commands } of aggregates) {
    for (const { command, commandName } of commands) {
      const owner = owners.get(command);
      if (owner !== undefined && owner !== name)
        problems.push(`command ${commandName} is decided by the aggregates ${owner} and ${name}; a command belongs to one`);
      owners.set(command, name);
    }
  }
}

function checkProjection(definition: ProjectionDefinition, problems: string[]): void {
  const { name, version, handlers } = definition;
  if (handlers.length === 0)
    problems.push(`projection ${name} version ${version} has no handlers; add .on(…), and list what it returns`);
  try {
    tableDefinition(definition);
  } catch (error) {
    if (!(error instanceof KappaError)) throw error;
    problems.push(error.message);
  }
}

function checkTopics(topics: readonly AnyTopic[], problems: string[]): void {
  const known = new Map<string, AnyTopic>();
  const told = new Set<string>();
  for (const topic of topics) {
    const first = known.get(topic.name) ?? topic;
    known.set(topic.name, first);
    const differs = first === topic ? null : differenceOf(first, topic);
    if (differs === null || told.has(topic.name)) continue;
    told.add(topic.name);
    problems.push(`topic ${topic.name} is declared twice, with ${differs}; declare it once and import it`);
  }
}

function differenceOf(a: AnyTopic, b: AnyTopic): string | null {
  const events = (topic: AnyTopic): string =>
    topic.events
      .map(({ type, version }) => `${type}@${version}`)
      .sort()
      .join(', ');
  if (a.partitions !== b.partitions) return `${a.partitions} and ${b.partitions} partitions`;
  if (events(a) !== events(b)) return `different events: ${events(a)}, and ${events(b)}`;
  if (a.retention?.ms !== b.retention?.ms || a.retention?.bytes !== b.retention?.bytes) return 'different retention';
  if (a.compaction !== b.compaction) return 'different compaction';
  if (a.decode !== b.decode) return 'two decode functions';
  return clashOf([a, b]) === null ? null : `two declarations of ${clashOf([a, b])}`;
}

/** Projections and policies know an event by its type alone, so one type cannot be declared twice in what one reads. */
function checkEventsOf(what: string, from: readonly AnyTopic[], problems: string[]): void {
  const clash = new Set(from.map(({ name }) => name)).size === from.length ? clashOf(from) : null;
  if (clash !== null)
    problems.push(`${what} reads two different declarations of event ${clash}; declare it once and import it`);
}

function clashOf(topics: readonly AnyTopic[]): string | null {
  const declared = new Map<string, AnyEvent>();
  for (const event of topics.flatMap((topic) => topic.events)) {
    const other = declared.get(event.type);
    if (other && other !== event) return event.type;
    declared.set(event.type, event);
  }
  return null;
}

function isIdentifier(name: string): boolean {
  try {
    return quoteIdentifier(name) !== '';
  } catch {
    return false;
  }
}
