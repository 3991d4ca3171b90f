import { KappaError } from '../kernel/errors.js';

const MAX_IDENTIFIER_BYTES = 63;

/**
 * The one function that turns a name into an SQL identifier: always quoted.
 * @throws KAPPA_BAD_IDENTIFIER for a name that PostgreSQL would cut (over 63 bytes), an empty one or one with a NUL.
 */
export function quoteIdentifier(name: string): string {
  if (name === '' || name.includes('\0') || Buffer.byteLength(name) > MAX_IDENTIFIER_BYTES) {
    throw new KappaError('KAPPA_BAD_IDENTIFIER', `${JSON.stringify(name)} cannot be an SQL name`, {
      facts: { name },
      nextStep: `Use 1 to ${MAX_IDENTIFIER_BYTES} bytes.`,
    });
  }
  return `"${name.replaceAll('"', '""')}"`;
}

/** `"schema"."name"` */
export function qualified(schema: string, name: string): string {
  return `${quoteIdentifier(schema)}.${quoteIdentifier(name)}`;
}

/** A text as an SQL literal, for the few statements that take no parameters (DDL, comments). */
export function quoteLiteral(text: string): string {
  const quoted = `'${text.replaceAll("'", "''")}'`;
  return text.includes('\\') ? ` E${quoted.replaceAll('\\', '\\\\')}` : quoted;
}
