import type { DeadLetter, LetterRequest, LetterState } from './dead-letter.js';

/** Columns of a letter as {@link letterOf} reads them, for `dead_letters l`. */
export const LETTER_COLUMNS = `l.id, l.owner, l.topic, l.partition, l.log_offset, l.key, l.tenant, l.type, l.state, l.request, l.code, l.message, l.stack,
  l.attempts, ${iso('first_at')}, ${iso('last_at')}, l.requested_by, l.requested_why, ${iso('requested_at')}, ${iso('settled_at')}, l.inherited_from`;

export interface LetterRow {
  readonly id: number;
  readonly owner: string;
  readonly topic: string;
  readonly partition: number;
  readonly log_offset: number;
  readonly key: string | null;
  readonly tenant: string | null;
  readonly type: string | null;
  readonly state: LetterState;
  readonly request: LetterRequest | null;
  readonly code: string | null;
  readonly message: string | null;
  readonly stack: string | null;
  readonly attempts: number;
  readonly first_at: string;
  readonly last_at: string;
  readonly requested_by: string | null;
  readonly requested_why: string | null;
  readonly requested_at: string | null;
  readonly settled_at: string | null;
  readonly inherited_from: number | null;
}

export function letterOf(row: LetterRow): DeadLetter {
  return {
    id: row.id,
    owner: row.owner,
    topic: row.topic,
    partition: row.partition,
    offset: row.log_offset,
    key: row.key,
    tenant: row.tenant,
    type: row.type,
    state: row.state,
    request: row.request,
    reason: row.code === null ? null : { code: row.code, message: row.message ?? '', stack: row.stack },
    attempts: row.attempts,
    firstAt: row.first_at,
    lastAt: row.last_at,
    requestedBy: row.requested_by,
    requestedWhy: row.requested_why,
    requestedAt: row.requested_at,
    settledAt: row.settled_at,
    inheritedFrom: row.inherited_from,
  };
}

function iso(column: string): string {
  return `to_char(l.${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as ${column}`;
}
