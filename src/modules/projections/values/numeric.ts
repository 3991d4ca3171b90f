import { textCodec, type ValueCodec } from './value-codec.js';

const ZERO = 48;
const NINE = 57;
const POINT = 46;
const MINUS = 45;
const PLUS = 43;

/** What PostgreSQL keeps of a numeric without precision. */
const MAX_WHOLE_DIGITS = 131_072;
const MAX_SCALE = 16_383;

/**
 * `numeric(precision, scale)` as text, never through a float: padded to the scale, leading zeros and a plus dropped,
 * no minus zero. A digit that would be rounded away is refused.
 */
export function numericCodec(precision: number | null, scale: number | null): ValueCodec {
  const expects =
    precision === null
      ? "a decimal as text, like '62.59'"
      : `a decimal as text with at most ${precision - (scale ?? 0)} digits before and ${scale ?? 0} after the point`;
  return textCodec(expects, (text) => canonicalNumeric(text, precision, precision === null ? null : (scale ?? 0)));
}

/** `bigint` as text, or as a JS bigint when the property is one; never as a JS number. */
export function bigintCodec(as: 'string' | 'bigint'): ValueCodec {
  const expects =
    as === 'bigint' ? 'a bigint from -2^63 to 2^63 - 1' : "a whole number as text, like '6259', from -2^63 to 2^63 - 1";
  const text = textCodec(expects, (value) => {
    const canonical = canonicalNumeric(value, 19, 0);
    return canonical === undefined || !fitsInt8(BigInt(canonical)) ? undefined : canonical;
  });
  if (as === 'string') return text;
  return {
    expects,
    canonical: (value) => (typeof value === 'bigint' && fitsInt8(value) ? value : undefined),
    encode: String,
    decode: BigInt,
    bytes: () => 24,
  };
}

/** `smallint` and `integer` as a JS number. */
export function integerCodec(min: number, max: number): ValueCodec {
  return {
    expects: `a whole number from ${min} to ${max}`,
    // Adding 0 turns minus zero, which the table does not know, into zero.
    canonical: (value) =>
      typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max ? value + 0 : undefined,
    encode: String,
    decode: Number,
    bytes: () => 8,
  };
}

/** `double precision` as a JS number: for measurements, never for money. */
export const doubleCodec: ValueCodec = {
  expects: 'a finite number',
  canonical: (value) => (typeof value === 'number' && Number.isFinite(value) ? value + 0 : undefined),
  encode: String,
  decode: Number,
  bytes: () => 8,
};

/** Undefined for what is no decimal, does not fit or would be rounded. */
export function canonicalNumeric(text: string, precision: number | null, scale: number | null): string | undefined {
  const length = text.length;
  if (length === 0) return undefined;
  const sign = text.charCodeAt(0);
  const first = sign === MINUS || sign === PLUS ? 1 : 0;

  let point = -1;
  let wholeStart = -1;
  let nonZero = false;
  for (let i = first; i < length; i += 1) {
    const code = text.charCodeAt(i);
    if (code === POINT) {
      if (point >= 0) return undefined;
      point = i;
    } else if (code < ZERO || code > NINE) {
      return undefined;
    } else if (code !== ZERO) {
      nonZero = true;
      if (wholeStart < 0 && point < 0) wholeStart = i;
    }
  }
  const wholeEnd = point < 0 ? length : point;
  const given = point < 0 ? 0 : length - point - 1;
  if (wholeEnd === first && given === 0) return undefined;
  const wholeDigits = wholeStart < 0 ? 0 : wholeEnd - wholeStart;
  if (wholeDigits > (precision === null ? MAX_WHOLE_DIGITS : precision - (scale ?? 0))) return undefined;

  const kept = scale ?? given;
  if (kept > MAX_SCALE) return undefined;
  for (let i = point + 1 + kept; point >= 0 && i < length; i += 1) {
    if (text.charCodeAt(i) !== ZERO) return undefined;
  }

  const negative = sign === MINUS && nonZero;
  // Most values are canonical already: one slice of nothing is cheaper than building the same text again.
  const wholeWritten = wholeEnd - first;
  if (kept === given && negative === (first === 1) && wholeWritten === Math.max(wholeDigits, 1) && kept > 0 === point >= 0)
    return text;
  const whole = wholeDigits === 0 ? '0' : text.slice(wholeStart, wholeEnd);
  const fraction = kept === 0 ? '' : `.${given === 0 ? '' : text.slice(point + 1, point + 1 + kept)}`;
  return (negative ? '-' : '') + whole + fraction.padEnd(kept === 0 ? 0 : kept + 1, '0');
}

function fitsInt8(value: bigint): boolean {
  return BigInt.asIntN(64, value) === value;
}
