import type { LetterState } from '../../../database/dead-letters/dead-letter.js';
import { didYouMean } from '../../../kernel/did-you-mean.js';
import { KappaError } from '../../../kernel/errors.js';
import type { ListDeadLetters, WhichLetters } from './dead-letters.js';

const LIST = ['projection', 'states', 'after', 'limit'];
const STATES: readonly LetterState[] = ['letter', 'follower', 'applied', 'discarded'];

/** `?projection=fines&states=letter,follower&after=17&limit=100` @throws KAPPA_BAD_QUERY */
export function parseList(query: Readonly<Record<string, unknown>>): ListDeadLetters {
  refuseOthers(query, LIST);
  const { projection, states, after, limit } = query;
  return {
    ...(projection === undefined ? {} : { name: textOf('projection', projection) }),
    ...(states === undefined ? {} : { states: textOf('states', states).split(',').map(stateOf) }),
    ...(after === undefined ? {} : { after: idOf('after', after) }),
    ...(limit === undefined ? {} : { limit: idOf('limit', limit) }),
  };
}

/** `{ "ids": [17] }`, `{ "projection": "fines" }` or `{ "all": true }` @throws KAPPA_BAD_QUERY */
export function parseWhich(body: unknown): WhichLetters {
  const given = objectOf(body);
  refuseOthers(given, ['ids', 'projection', 'all']);
  const named = Object.entries(given).filter(([, value]) => value !== undefined);
  const [[name, value] = ['', undefined]] = named;
  if (named.length !== 1) throw bad('the body', 'must name ids, projection or all', 'Give one of them.');
  if (name === 'projection') return { name: textOf(name, value) };
  if (name === 'ids') return { ids: idsOf(value) };
  if (value === true) return { all: true };
  throw bad('all', 'must be true', 'Leave it out otherwise.');
}

/** `{ "ids": [17], "reason": "booked twice" }` @throws KAPPA_BAD_QUERY */
export function parseDiscard(body: unknown): { readonly ids: readonly number[]; readonly why: string } {
  const given = objectOf(body);
  refuseOthers(given, ['ids', 'reason']);
  return { ids: idsOf(given['ids']), why: textOf('reason', given['reason']) };
}

/** @throws KAPPA_BAD_QUERY */
export function idOf(name: string, value: unknown): number {
  const text = typeof value === 'number' ? String(value) : value;
  if (typeof text === 'string' && /^\d{1,15}$/.test(text)) return Number(text);
  throw bad(name, 'must be a whole number', 'Give one of those that the list shows.');
}

function idsOf(value: unknown): readonly number[] {
  if (Array.isArray(value) && value.length > 0) return value.map((each) => idOf('ids', each));
  throw bad('ids', 'must be a list of numbers', 'Give those that the list shows.');
}

function stateOf(text: string): LetterState {
  const state = STATES.find((known) => known === text);
  if (state) return state;
  throw bad('states', `names ${text}${didYouMean(text, STATES)}`, `There are ${STATES.join(', ')}.`);
}

function textOf(name: string, value: unknown): string {
  if (typeof value === 'string' && value !== '') return value;
  throw bad(name, 'must be a text', 'Give it once.');
}

function objectOf(body: unknown): Readonly<Record<string, unknown>> {
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body as Readonly<Record<string, unknown>>;
  throw bad('the body', 'must be an object', 'Send JSON.');
}

function refuseOthers(given: Readonly<Record<string, unknown>>, known: readonly string[]): void {
  const other = Object.keys(given).find((name) => !known.includes(name));
  if (other !== undefined) throw bad(other, `is unknown${didYouMean(other, known)}`, `There are ${known.join(', ')}.`);
}

function bad(name: string, what: string, nextStep: string): KappaError {
  return new KappaError('KAPPA_BAD_QUERY', `${name} ${what}`, { facts: { parameter: name }, nextStep });
}
