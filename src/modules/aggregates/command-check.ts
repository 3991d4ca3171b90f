import { closestName } from '../../kernel/did-you-mean.js';
import { KappaError } from '../../kernel/errors.js';
import { isIsoTime } from '../../kernel/iso-time.js';
import { streamName, tenantPart } from '../../kernel/names.js';
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
  const issues = [...commandIssues(aggregate, handler, command), ...optionIssues(options)];
  if (issues.length === 0) return;
  const shown = issues.map(({ path, message }) => (message.startsWith(path) ? message : `${path} ${message}`)).join('; ');
  throw new KappaError('KAPPA_INVALID_PAYLOAD', `${handler.commandName} is not valid: ${shown}`, {
    facts: { command: handler.commandName, issues },
    nextStep: 'Correct the named fields.',
  });
}

function* commandIssues(aggregate: AggregateDefinition, handler: CommandHandler, command: object): Iterable<PayloadIssue> {
  const issues = classIssues(handler.command as never, command);
  yield* issues;
  if (issues.some(({ path }) => path === aggregate.id)) return;
  const id = (command as Readonly<Record<string, unknown>>)[aggregate.id];
  const message = messageOf(() => streamName({ tenant: null, aggregate: aggregate.name, id: id as string }));
  if (message)
    yield {
      path: aggregate.id,
      message: `must name the ${aggregate.name}: 1 to 400 bytes of well-formed text, not ${JSON.stringify(id) ?? 'undefined'}`,
    };
}

function* optionIssues(options: ExecuteOptions): Iterable<PayloadIssue> {
  for (const name of Object.keys(options)) {
    if ((OPTION_NAMES as readonly string[]).includes(name)) continue;
    const closest = closestName(name, OPTION_NAMES);
    yield {
      path: `options.${name}`,
      message: closest === null ? `is not known; known: ${OPTION_NAMES.join(', ')}` : `is not known; did you mean ${closest}?`,
    };
  }
  const { tenant, expectedVersion, occurredAt, traceparent, transaction } = options;
  if (messageOf(() => tenantPart(tenant)))
    yield { path: 'options.tenant', message: 'must be 1 to 100 letters, digits, dots, hyphens or underscores' };
  for (const name of ['idempotencyKey', 'correlationId', 'causationId', 'principal'] as const) {
    const value = options[name];
    if (value === undefined || (value === null && name === 'principal')) continue;
    if (!isId(value)) yield { path: `options.${name}`, message: `must be 1 to ${MAX_ID_BYTES} bytes of well-formed text` };
  }
  if (expectedVersion !== undefined && (!Number.isSafeInteger(expectedVersion) || expectedVersion < 0)) {
    yield { path: 'options.expectedVersion', message: `must be a whole number from 0, not ${String(expectedVersion)}` };
  }
  if (occurredAt !== undefined && !isIsoTime(occurredAt)) {
    yield {
      path: 'options.occurredAt',
      message: `must be a real date and time in ISO 8601 with an offset, like 2026-11-21T09:30:00+01:00, not ${JSON.stringify(occurredAt)}`,
    };
  }
  if (traceparent !== undefined && !(typeof traceparent === 'string' && TRACEPARENT.test(traceparent))) {
    yield { path: 'options.traceparent', message: 'must be a W3C trace context' };
  }
  if (transaction !== undefined && typeof (transaction as Partial<typeof transaction> | null)?.query !== 'function') {
    yield {
      path: 'options.transaction',
      message: "must have a query method: a pg client, or TypeORM's EntityManager or QueryRunner",
    };
  }
}

function isId(value: unknown): boolean {
  return (
    typeof value === 'string' &&
    value !== '' &&
    !value.includes('\0') &&
    value.isWellFormed() &&
    Buffer.byteLength(value) <= MAX_ID_BYTES
  );
}

function messageOf(check: () => unknown): string | null {
  try {
    check();
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
