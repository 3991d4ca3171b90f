/**
 * One column's values: what a fold may return, what the table gives back, and PostgreSQL's text of it. Made once per column;
 * all functions are pure.
 */
export interface ValueCodec {
  /** What is expected, for messages: `a decimal as text with at most 2 digits after the point`. */
  readonly expects: string;
  /** The value as it comes back from the table; undefined when it is refused. Never given null. */
  canonical(value: unknown): unknown;
  /** PostgreSQL's text of a canonical value. */
  encode(value: unknown): string;
  /** From PostgreSQL's text. `decode(encode(v))` equals `v` for every canonical `v`. */
  decode(text: string): unknown;
  /** Rough size in memory, in bytes. */
  bytes(value: unknown): number;
}

const NUL = '\0';

/** PostgreSQL stores no NUL in text, and a lone surrogate would change on its way through UTF-8. */
export function isStorable(text: string): boolean {
  return !text.includes(NUL) && text.isWellFormed();
}

/** Header of a string and one or two bytes a character, as V8 keeps them. */
export function stringBytes(value: unknown): number {
  return 24 + (value as string).length * 2;
}

/** A value whose text is itself. */
export function textCodec(expects: string, canonical: (text: string) => string | undefined): ValueCodec {
  return {
    expects,
    canonical: (value) => (typeof value === 'string' ? canonical(value) : undefined),
    encode: (value) => value as string,
    decode: (text) => text,
    bytes: stringBytes,
  };
}
