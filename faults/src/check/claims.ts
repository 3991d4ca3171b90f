import { groupBy } from '../group-by.js';
import type { LoggedEvent, Problem } from './evidence.js';
import { inOrder } from './streams.js';

/** No two customers have one address at the end: a value that two hold was given out twice. */
export function checkClaims(streams: readonly LoggedEvent[]): readonly Problem[] {
  const emails = new Map<string, unknown>();
  for (const { stream, data } of inOrder(streams)) if (stream.startsWith('/customer/')) emails.set(stream, data['email']);
  const holders = groupBy(emails, ([, email]) => email);
  return [...holders].flatMap(([email, own]) =>
    own.length > 1
      ? [{ kind: 'doubled', what: `${String(email)} belongs to ${own.map(([stream]) => stream).join(' and ')}` }]
      : [],
  );
}
