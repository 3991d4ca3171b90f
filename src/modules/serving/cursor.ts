import { createHash } from 'node:crypto';
import { KappaError } from '../../kernel/errors.js';

/** Where a page ended: the texts of the sorted columns of its last row, in sort order; null is NULL. */
export type CursorPlace = readonly (string | null)[];

/** What a cursor belongs to: another filter, sort, tenant or projection makes it meaningless. */
export interface CursorScope {
  readonly projection: string;
  readonly tenant: string | null;
  readonly where: readonly (readonly [column: string, text: string | null])[];
  readonly sort: readonly (readonly [column: string, direction: string])[];
}

const FORMAT = 1;

/** A cursor as callers see it: opaque, safe in a URL. Values are PostgreSQL's own texts, so that microseconds are kept. */
export function encodeCursor(scope: CursorScope, place: CursorPlace): string {
  return Buffer.from(JSON.stringify([FORMAT, scopeHash(scope), ...place]), 'utf8').toString('base64url');
}

/** @throws KAPPA_BAD_CURSOR for anything that {@link encodeCursor} did not make for this very scope. */
export function decodeCursor(scope: CursorScope, cursor: string): CursorPlace {
  const parts = parse(cursor);
  if (parts?.length !== 2 + scope.sort.length || parts[0] !== FORMAT) throw badCursor('is not one that a page returned');
  if (parts[1] !== scopeHash(scope)) throw badCursor('belongs to another projection, filter or sort');
  const place = parts.slice(2);
  if (!place.every((text): text is string | null => text === null || typeof text === 'string'))
    throw badCursor('is not one that a page returned');
  return place;
}

/** @internal also for values that the database refuses. */
export function badCursor(what: string, cause?: unknown): KappaError {
  return new KappaError('KAPPA_BAD_CURSOR', `the cursor ${what}`, { nextStep: 'Begin again without a cursor.', cause });
}

function parse(cursor: string): readonly unknown[] | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
    return Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

function scopeHash(scope: CursorScope): string {
  const where = [...scope.where].sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256')
    .update(JSON.stringify([scope.projection, scope.tenant, where, scope.sort]))
    .digest('base64url')
    .slice(0, 16);
}
