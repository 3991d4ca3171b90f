import { stringBytes, textCodec, type ValueCodec } from './value-codec.js';

const MS_PER_MINUTE = 60_000;
const MS_PER_HOUR = 3_600_000;
const MS_PER_DAY = 86_400_000;

/** Two digits of every number below a hundred. */
const TWO: readonly string[] = Array.from({ length: 100 }, (_, n) => String(n).padStart(2, '0'));

/** 0001-01-01T00:00:00Z and 9999-12-31T23:59:59.999Z: what ISO 8601 writes with four digits. */
const FIRST_MS = -62_135_596_800_000;
const LAST_MS = 253_402_300_799_999;

/** `timestamp with time zone` as text in UTC with microseconds, `2000-01-31T12:30:00.123456Z`: sorts as it is, loses nothing. */
export const timestamptzCodec: ValueCodec = {
  expects: "an ISO 8601 time with offset and at most microseconds, like '2000-01-31T13:30:00+01:00'",
  canonical: (value) => (typeof value === 'string' ? canonicalTimestamp(value, true) : undefined),
  encode: (value) => value as string,
  decode: (text) => isoOf(text, 'Z'),
  bytes: stringBytes,
};

/** `timestamp with time zone` as a Date, where the property is one: milliseconds only. */
export const dateObjectCodec: ValueCodec = {
  expects: 'a valid Date',
  canonical: (value) =>
    value instanceof Date && value.getTime() >= FIRST_MS && value.getTime() <= LAST_MS ? new Date(value.getTime()) : undefined,
  encode: (value) => (value as Date).toISOString(),
  decode: (text) => new Date(isoOf(text, 'Z')),
  bytes: () => 48,
};

/** `timestamp without time zone` as text with microseconds and without offset: `2000-01-31T12:30:00.123456`. */
export const timestampCodec: ValueCodec = {
  expects: "an ISO 8601 local time without offset and at most microseconds, like '2000-01-31T13:30:00'",
  canonical: (value) => (typeof value === 'string' ? canonicalTimestamp(value, false) : undefined),
  encode: (value) => value as string,
  decode: (text) => isoOf(text, ''),
  bytes: stringBytes,
};

/** `date` as text: `2000-01-31`. */
export const dateCodec: ValueCodec = textCodec("a date as text, like '2000-01-31'", (text) =>
  text.length === 10 && dayOf(text) !== null ? text : undefined,
);

/** `time without time zone` as text: `13:30:00`, with the fraction only where there is one, as PostgreSQL writes it. */
export const timeCodec: ValueCodec = textCodec("a time of day as text, like '13:30:00'", (text) => {
  const time = clockOf(text, 0);
  if (time?.end !== text.length) return undefined;
  const whole = time.hasSeconds ? text.slice(0, 8) : `${text.slice(0, 5)}:00`;
  return time.micros === 0 ? whole : `${whole}.${trimZeros(microsText(time.micros))}`;
});

function canonicalTimestamp(text: string, withOffset: boolean): string | undefined {
  const day = dayOf(text);
  if (day === null || !isSeparator(text.charCodeAt(10))) return undefined;
  const time = clockOf(text, 11);
  if (time === null) return undefined;
  const offsetMs = withOffset ? offsetOf(text, time.end) : time.end === text.length ? 0 : null;
  if (offsetMs === null) return undefined;
  const suffix = withOffset ? 'Z' : '';
  if (offsetMs === 0) {
    // Nothing to shift: what stands there is kept, and returned as it is when it is whole.
    if (text.length === 26 + suffix.length && text[10] === 'T' && (!withOffset || text[26] === 'Z')) return text;
    const clock = time.hasSeconds ? text.slice(11, 19) : `${text.slice(11, 16)}:00`;
    return `${text.slice(0, 10)}T${clock}.${microsText(time.micros)}${suffix}`;
  }
  const ms = day * MS_PER_DAY + time.ms - offsetMs;
  if (ms < FIRST_MS || ms > LAST_MS) return undefined;
  const shifted = Math.floor(ms / MS_PER_DAY);
  return `${dateOf(shifted)}T${clockText((ms - shifted * MS_PER_DAY) / 1000)}.${microsText(time.micros)}${suffix}`;
}

/** PostgreSQL's own text (DateStyle ISO, time zone UTC): `2000-01-31 12:30:00.5+00`. What a raw handler wrote otherwise (infinity, BC) stays as it is. */
function isoOf(text: string, suffix: string): string {
  const plus = suffix === '' ? text.length : text.lastIndexOf('+');
  if (text.charCodeAt(10) !== 32 || plus < 19) return text;
  const fraction = plus === 19 ? '000000' : text.slice(20, plus).padEnd(6, '0');
  return `${text.slice(0, 10)}T${text.slice(11, 19)}.${fraction}${suffix}`;
}

/** Days since 1970 of the first ten characters, or null when they are no date of the years 0001 to 9999. */
function dayOf(text: string): number | null {
  const year = digits(text, 0, 4);
  const month = digits(text, 5, 2);
  const day = digits(text, 8, 2);
  if (year < 1 || month < 1 || month > 12 || day < 1 || text.charCodeAt(4) !== 45 || text.charCodeAt(7) !== 45) return null;
  if (day > 28 && day > daysIn(year, month)) return null;
  // Days of the proleptic Gregorian calendar, counted in years that begin in March (Hinnant, days_from_civil).
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  return era * 146_097 + yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear - 719_468;
}

/** The date of a day since 1970, `2000-01-31`; the way back of {@link dayOf} (Hinnant, civil_from_days). */
function dateOf(day: number): string {
  const z = day + 719_468;
  const era = Math.floor(z / 146_097);
  const dayOfEra = z - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  const date = dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1;
  return `${TWO[Math.floor(year / 100)] ?? ''}${TWO[year % 100] ?? ''}-${TWO[month] ?? ''}-${TWO[date] ?? ''}`;
}

/** Seconds of a day as `13:30:00`. */
function clockText(seconds: number): string {
  const minutes = Math.floor(seconds / 60);
  return `${TWO[Math.floor(minutes / 60)] ?? ''}:${TWO[minutes % 60] ?? ''}:${TWO[seconds % 60] ?? ''}`;
}

function microsText(micros: number): string {
  return micros === 0 ? '000000' : String(micros).padStart(6, '0');
}

function daysIn(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

interface Clock {
  /** Whole seconds of the day, in milliseconds. */
  readonly ms: number;
  /** The fraction of the second. */
  readonly micros: number;
  readonly hasSeconds: boolean;
  /** Index after it. */
  readonly end: number;
}

/** `HH:MM[:SS[.ffffff]]`; more digits than microseconds only when they are zeros. */
function clockOf(text: string, start: number): Clock | null {
  const hour = digits(text, start, 2);
  const minute = digits(text, start + 3, 2);
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || text.charCodeAt(start + 2) !== 58) return null;
  const minuteMs = (hour * 60 + minute) * MS_PER_MINUTE;
  if (text.charCodeAt(start + 5) !== 58) return { ms: minuteMs, micros: 0, hasSeconds: false, end: start + 5 };
  const second = digits(text, start + 6, 2);
  if (second < 0 || second > 59) return null;
  let end = start + 8;
  let micros = 0;
  if (text.charCodeAt(end) === 46) {
    const fraction = end + 1;
    let unit = 100_000;
    for (end = fraction; isDigit(text.charCodeAt(end)); end += 1) {
      const digit = text.charCodeAt(end) - 48;
      if (unit < 1 && digit !== 0) return null;
      micros += unit < 1 ? 0 : digit * unit;
      unit /= 10;
    }
    if (end === fraction) return null;
  }
  return { ms: minuteMs + second * 1000, micros, hasSeconds: true, end };
}

/** `Z`, `±HH`, `±HHMM` or `±HH:MM` to the end of the text, in milliseconds. */
function offsetOf(text: string, start: number): number | null {
  const length = text.length - start;
  const sign = text.charCodeAt(start);
  if (length === 1 && (sign === 90 || sign === 122)) return 0;
  if (sign !== 43 && sign !== 45) return null;
  const hours = digits(text, start + 1, 2);
  const minutes =
    length === 3
      ? 0
      : length === 5
        ? digits(text, start + 3, 2)
        : length === 6 && text.charCodeAt(start + 3) === 58
          ? digits(text, start + 4, 2)
          : -1;
  if (hours < 0 || hours > 15 || minutes < 0 || minutes > 59) return null;
  return (hours * MS_PER_HOUR + minutes * MS_PER_MINUTE) * (sign === 45 ? -1 : 1);
}

/** The number of these digits; -1 when one of them is none. */
function digits(text: string, start: number, count: number): number {
  let value = 0;
  for (let i = start; i < start + count; i += 1) {
    const code = text.charCodeAt(i);
    if (!isDigit(code)) return -1;
    value = value * 10 + code - 48;
  }
  return value;
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

function isSeparator(code: number): boolean {
  return code === 84 || code === 116 || code === 32;
}

function trimZeros(text: string): string {
  let end = text.length;
  while (text.charCodeAt(end - 1) === 48) end -= 1;
  return text.slice(0, end);
}
