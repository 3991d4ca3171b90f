import { createHash } from 'node:crypto';

const MAX_NAME_CHARACTERS = 48;

/**
 * The name of a build's table: `fines_v1_b3`, at most 63 bytes of lower-case ASCII. A projection's name that had to be changed
 * or cut for it is followed by a hash of the whole, so that two projections never share a table. Stored, never parsed.
 */
export function buildTableName(projection: string, version: number, number: number): string {
  const tail = `_v${version}_b${number}`;
  const plain = projection.toLowerCase().replaceAll(/[^a-z0-9_]/g, '_');
  if (plain === projection && plain.length + tail.length <= MAX_NAME_CHARACTERS) return plain + tail;
  const hash = createHash('sha256').update(projection).digest('hex').slice(0, 8);
  return `${plain.slice(0, MAX_NAME_CHARACTERS - tail.length - hash.length - 1)}_${hash}${tail}`;
}
