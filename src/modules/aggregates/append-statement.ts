import { byteaArray, intArray, textArray } from '../../database/binary-arrays.js';
import { quoteIdentifier } from '../../database/identifiers.js';
import type { TextStatement, TextValue } from '../../database/text-query.js';
import { KappaError } from '../../kernel/errors.js';
import { groupColumns } from './group-columns.js';
import { parseTogether, valuesTogether } from './group-together.js';
import { AppendedOutcome, type AppendOutcome, type AppendRequest, type UniqueClaim } from './append-request.js';

/** Answered for a command that an earlier one of its group stands in the way of: it was not looked at, send it again. */
export const LATER = Symbol('later');

/** Each answers one text. */
export interface AppendStatements {
  /** One command: a leaner plan. */
  one(request: AppendRequest): TextStatement;
  /** A group of commands; each is judged for itself. Null: locks are waited for as long as the session says. */
  group(requests: readonly AppendRequest[], lockTimeoutMs: number | null): TextStatement;
  /** The same, without asking first whether all may be appended. */
  judged(requests: readonly AppendRequest[], lockTimeoutMs: number | null): TextStatement;
}

export function appendStatements(schema: string): AppendStatements {
  const quoted = quoteIdentifier(schema);
  const one = `select ${quoted}.append_command($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) as outcomes`;
  const together = `select ${quoted}.append_group($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) as outcomes`;
  const judged = `select pg_catalog.array_to_string(${quoted}.append_commands($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18), ';') as outcomes`;
  const judge = (requests: readonly AppendRequest[], lockTimeoutMs: number | null): TextStatement => ({
    name: 'kappa append group judged',
    text: judged,
    values: [...valuesOfGroup(requests), lockTimeoutMs === null ? null : String(lockTimeoutMs)],
  });
  return {
    one: (request) => ({ name: 'kappa append one', text: one, values: valuesOfOne(request) }),
    group: (requests, lockTimeoutMs) => {
      const values = valuesTogether(requests, lockTimeoutMs);
      return values ? { name: 'kappa append group', text: together, values } : judge(requests, lockTimeoutMs);
    },
    judged: judge,
  };
}

function valuesOfOne(request: AppendRequest): TextValue[] {
  const { events, claims } = request;
  return [
    String(request.topicId),
    String(request.partition),
    request.stream,
    request.key,
    request.commandId,
    request.contentHash,
    String(request.expectedVersion),
    textArray(events.map((event) => event.type)),
    byteaArray(events.map((event) => event.value)),
    textArray(events.map((event) => event.storedHeaders)),
    textArray(claims.map(() => request.tenant ?? '')),
    textArray(claims.map((claim) => claim.name)),
    textArray(claims.map((claim) => claim.value)),
  ];
}

function valuesOfGroup(requests: readonly AppendRequest[]): TextValue[] {
  const claims = claimsOf(requests);
  return [
    intArray(requests.map((request) => request.topicId)),
    intArray(requests.map((request) => request.partition)),
    ...groupColumns(requests),
    intArray(claims.map(({ command }) => command)),
    textArray(claims.map(({ tenant }) => tenant)),
    textArray(claims.map(({ claim }) => claim.name)),
    textArray(claims.map(({ claim }) => claim.value)),
  ];
}

/** The claims of a group in the order in which the function numbers them. */
function claimsOf(requests: readonly AppendRequest[]): readonly { command: number; tenant: string; claim: UniqueClaim }[] {
  return requests.flatMap((request, index) =>
    request.claims.map((claim) => ({ command: index + 1, tenant: request.tenant ?? '', claim })),
  );
}

/** Reads what the functions answered, command by command. */
export function parseOutcomes(requests: readonly AppendRequest[], answer: string): readonly (AppendOutcome | typeof LATER)[] {
  const together = parseTogether(requests, answer);
  if (together) return together;
  const answers = answer.split(';');
  if (answers.length !== requests.length) {
    throw new KappaError('KAPPA_INTERNAL', `the append of ${requests.length} commands answered ${answers.length} times`, {
      facts: { answer: answer.slice(0, 200) },
    });
  }
  const claims = claimsOf(requests);
  return answers.map((text) => parseOutcome(text, claims));
}

function parseOutcome(text: string, claims: readonly { claim: UniqueClaim }[]): AppendOutcome | typeof LATER {
  const [outcome, ...fields] = text.split(',');
  const [first = 0, second = 0, third = 0, fourth = 0] = fields.map(Number);
  switch (outcome) {
    case 'appended':
      return new AppendedOutcome(first, second);
    case 'repeated':
      return { outcome, nextOffset: first, recordedAtUs: second, firstVersion: third, lastVersion: fourth };
    case 'conflict':
      return { outcome, head: first };
    case 'taken':
      return { outcome, claim: claims[first - 1]?.claim ?? { name: '', value: null } };
    case 'reused':
      return { outcome };
    case 'later':
      return LATER;
    default:
      throw new KappaError('KAPPA_INTERNAL', `the append answered ${JSON.stringify(text)}`);
  }
}
