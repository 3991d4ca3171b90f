import { quoteIdentifier } from '../../database/identifiers.js';
import { didYouMean } from '../../kernel/did-you-mean.js';

/** Null when the value is right, else what it must be. */
export type Check = (value: unknown) => string | null;

export function text(value: unknown): string | null {
  return typeof value === 'string' && value.trim() !== '' ? null : 'must be a text that is not empty';
}

export function flag(value: unknown): string | null {
  return typeof value === 'boolean' ? null : 'must be true or false';
}

/** An object in which every value that is given is right. */
export function each(checks: Readonly<Record<string, Check>>): Check {
  return (value) => {
    if (!isObject(value)) return `must be an object with ${Object.keys(checks).join(', ')}`;
    for (const [name, one] of Object.entries(value)) {
      const check = checks[name];
      if (!check) return `${name} is unknown there${didYouMean(name, Object.keys(checks))}`;
      const wrong = one === undefined ? null : check(one);
      if (wrong !== null) return `${name} ${wrong}`;
    }
    return null;
  };
}

export function oneOf(...allowed: readonly string[]): Check {
  return (value) => (allowed.some((one) => one === value) ? null : `must be ${allowed.map((one) => `'${one}'`).join(' or ')}`);
}

export function whole(from: number, to: number): Check {
  return (value) =>
    Number.isInteger(value) && Number(value) >= from && Number(value) <= to
      ? null
      : `must be a whole number from ${from} to ${to}`;
}

export function atLeast(from: number): Check {
  return (value) =>
    typeof value === 'number' && Number.isFinite(value) && value >= from ? null : `must be a number from ${from}`;
}

export function identifier(value: unknown): string | null {
  try {
    quoteIdentifier(String(value));
    return typeof value === 'string' ? null : 'must be a text';
  } catch {
    return 'must be an SQL name of 1 to 63 bytes';
  }
}

export function postgresUrl(value: unknown): string | null {
  const wanted = 'must be postgres://user:password@host:port/database';
  if (typeof value !== 'string' || !URL.canParse(value)) return wanted;
  return ['postgres:', 'postgresql:'].includes(new URL(value).protocol) ? null : wanted;
}

/** A value as a message shows it; long ones are cut. */
export function shown(value: unknown): string {
  const plain = typeof value === 'function' ? `function ${value.name}` : (JSON.stringify(value) ?? String(value));
  return plain.length > 60 ? `${plain.slice(0, 57)}…` : plain;
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
