import { isBoundedText } from '../../kernel/bounded-text.js';
import { closestName } from '../../kernel/did-you-mean.js';
import { KappaError } from '../../kernel/errors.js';
import { isIsoTime } from '../../kernel/iso-time.js';
import { isStreamId, tenantPart } from '../../kernel/names.js';
import { classIssues, type PayloadIssue } from '../../kernel/payload.js';
import type { AggregateDefinition, CommandHandler } from './aggregate.js';
import type { ExecuteOptions } from './command.js';

const OPTION_NAMES: readonly (keyof ExecuteOptions)[] = [
  'idempotencyKey',
  'expectedVersion',
  'occurredAt',
  'tenant',
  'principal',
  'correlationId',
  'causationId',
  'traceparent',
  'transaction',
];
const ID_OPTIONS = ['idempotencyKey', 'correlationId', 'causationId', 'principal'] as const;
const MAX_ID_BYTES = 255;
const TRACEPARENT = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;

/**
 * Checks a command and its options, and names all that is wrong with them at once.
 * @throws KAPPA_INVALID_PAYLOAD
 */
export function checkCommand(
  aggregate: AggregateDefinition,
  handler: CommandHandler,
  command: object,
  options: ExecuteOptions,
): void {
  const issues: PayloadIssue[] = [...classIssues(handler.command as never, command)];
  addIdIssue(aggregate, command, issues);
  addOptionIssues(options, issues);
  if (issues.length === 0) return;
  const shown = issues.map(({ path, message }) => (message.startsWith(path) ? message : `${path} ${message}`)).join('; ');
  throw new KappaError('KAPPA_INVALID_PAYLOAD', `${handler.commandName} is not valid: ${shown}`, {
    facts: { command: handler.commandName, issues },
    nextStep: 'Correct the named fields.',
  });
}

function addIdIssue(aggregate: AggregateDefinition, command: object, issues: PayloadIssue[]): void {
  const id = (command as Readonly<Record<string, unknown>>)[aggregate.id];
  if (isStreamId(id) || issues.some(({ path }) => path === aggregate.id)) return;
  issues.push({
    path: aggregate.id,
    message: `must name the ${aggregate.name}: 1 to 400 bytes of well-formed text, not ${shown(id)}`,
  });
}

function addOptionIssues(options: ExecuteOptions, issues: PayloadIssue[]): void {
  for (const name of Object.keys(options)) {
    if ((OPTION_NAMES as readonly string[]).includes(name)) continue;
    const closest = closestName(name, OPTION_NAMES);
    issues.push({
      path: `options.${name}`,
      message: closest === null ? `is not known; known: ${OPTION_NAMES.join(', ')}` : `is not known; did you mean ${closest}?`,
    });
  }
  const { tenant, expectedVersion, occurredAt, traceparent, transaction } = options;
  if (!isTenant(tenant))
    issues.push({ path: 'options.tenant', message: 'must be 1 to 100 letters, digits, dots, hyphens or underscores' });
  for (const name of ID_OPTIONS) {
    const value = options[name];
    if (value === undefined || (value === null && name === 'principal')) continue;
    if (!isBoundedText(value, MAX_ID_BYTES))
      issues.push({ path: `options.${name}`, message: `must be 1 to ${MAX_ID_BYTES} bytes of well-formed text` });
  }
  if (expectedVersion !== undefined && (!Number.isSafeInteger(expectedVersion) || expectedVersion < 0)) {
    issues.push({ path: 'options.expectedVersion', message: `must be a whole number from 0, not ${String(expectedVersion)}` });
  }
  if (occurredAt !== undefined && !isIsoTime(occurredAt)) {
    issues.push({
      path: 'options.occurredAt',
      message: `must be a real date and time in ISO 8601 with an offset, like 2026-11-21T09:30:00+01:00, not ${shown(occurredAt)}`,
    });
  }
  if (traceparent !== undefined && !(typeof traceparent === 'string' && TRACEPARENT.test(traceparent))) {
    issues.push({ path: 'options.traceparent', message: 'must be a W3C trace context' });
  }
  if (transaction !== undefined && typeof (transaction as Partial<typeof transaction> | null)?.query !== 'function') {
    issues.push({
      path: 'options.transaction',
      message: "must have a query method: a pg client, or TypeORM's EntityManager or QueryRunner",
    });
  }
}

function isTenant(tenant: unknown): boolean {
  try {
    tenantPart(tenant as string | null | undefined);
    return true;
  } catch {
    return false;
  }
}

function shown(value: unknown): string {
  if (typeof value === 'bigint') return `${value}n`;
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return 'something that JSON cannot show';
  }
}
