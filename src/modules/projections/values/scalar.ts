import { isStorable, textCodec, type ValueCodec } from './value-codec.js';

/** `text` and `character varying(n)`; n counts characters, not UTF-16 units, and a longer text is refused, never cut. */
export function stringCodec(maxLength: number | null): ValueCodec {
  if (maxLength === null)
    return textCodec('a text without NUL or lone surrogates', (text) => (isStorable(text) ? text : undefined));
  return textCodec(`a text of at most ${maxLength} characters, without NUL or lone surrogates`, (text) =>
    isStorable(text) && (text.length <= maxLength || charactersOf(text) <= maxLength) ? text : undefined,
  );
}

/** An enum, kept as text: adding a value then changes no table. */
export function enumCodec(values: readonly string[]): ValueCodec {
  const known = new Set(values);
  return textCodec(`one of ${values.map((value) => JSON.stringify(value)).join(', ')}`, (text) =>
    known.has(text) ? text : undefined,
  );
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export const uuidCodec: ValueCodec = textCodec('a UUID as text', (text) => {
  const lower = text.toLowerCase();
  return UUID.test(lower) ? lower : undefined;
});

export const booleanCodec: ValueCodec = {
  expects: 'true or false',
  canonical: (value) => (typeof value === 'boolean' ? value : undefined),
  encode: (value) => (value === true ? 'true' : 'false'),
  // A column casts to `true`, an array's item is written `t`.
  decode: (text) => text === 'true' || text === 't',
  bytes: () => 4,
};

/** `bytea` as a Buffer of its own. */
export const byteaCodec: ValueCodec = {
  expects: 'bytes (a Buffer or Uint8Array)',
  canonical: (value) => (value instanceof Uint8Array ? Buffer.from(value) : undefined),
  encode: (value) => `\\x${(value as Buffer).toString('hex')}`,
  decode: (text) => Buffer.from(text.slice(2), 'hex'),
  bytes: (value) => 96 + (value as Buffer).length,
};

function charactersOf(text: string): number {
  let count = 0;
  for (let i = 0; i < text.length; i += 1) {
    // The second half of a pair belongs to the character before.
    if ((text.charCodeAt(i) & 0xfc00) !== 0xdc00) count += 1;
  }
  return count;
}
