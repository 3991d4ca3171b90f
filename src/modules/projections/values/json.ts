import { isStorable, type ValueCodec } from './value-codec.js';

/**
 * `jsonb`. The canonical value is what comes back: names in jsonb's order (shorter first, then by bytes), no undefined, no minus
 * zero, dates and the like as their JSON.
 */
export const jsonbCodec: ValueCodec = {
  expects: 'something JSON can hold, without NUL or lone surrogates in its texts',
  canonical: (value) => canonicalJson(value, 0),
  encode: (value) => JSON.stringify(value),
  decode: (text) => JSON.parse(text) as unknown,
  bytes: bytesOfJson,
};

/** PostgreSQL's parser gives up by its stack limit at some thousand levels; nothing sensible is nested deeper than this. */
const MAX_DEPTH = 500;

function canonicalJson(value: unknown, depth: number): unknown {
  switch (typeof value) {
    case 'string':
      return isStorable(value) ? value : undefined;
    case 'number':
      return Number.isFinite(value) ? value + 0 : undefined;
    case 'boolean':
      return value;
    case 'object':
      if (value === null) return null;
      return depth > MAX_DEPTH ? undefined : canonicalObject(value, depth);
    default:
      return undefined;
  }
}

function canonicalObject(value: object, depth: number): unknown {
  if ('toJSON' in value && typeof value.toJSON === 'function')
    return canonicalJson((value.toJSON as () => unknown)(), depth + 1);
  if (Array.isArray(value)) {
    const items = value.map((item) => canonicalJson(item, depth + 1));
    return items.includes(undefined) ? undefined : items;
  }
  if (value instanceof Map || value instanceof Set || ArrayBuffer.isView(value)) return undefined;
  const names = Object.keys(value);
  if (names.length > 1) names.sort(inJsonbOrder);
  const result: Record<string, unknown> = {};
  for (const name of names) {
    const given = (value as Record<string, unknown>)[name];
    if (given === undefined) continue;
    const item = canonicalJson(given, depth + 1);
    if (item === undefined || !isStorable(name)) return undefined;
    // A plain assignment of __proto__ would change the prototype; JSON.parse makes it a property.
    if (name === '__proto__')
      Object.defineProperty(result, name, { value: item, enumerable: true, configurable: true, writable: true });
    else result[name] = item;
  }
  return result;
}

function inJsonbOrder(a: string, b: string): number {
  return Buffer.byteLength(a) - Buffer.byteLength(b) || Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function bytesOfJson(value: unknown): number {
  if (typeof value === 'string') return 24 + value.length * 2;
  if (typeof value !== 'object' || value === null) return 8;
  let bytes = 56;
  for (const [name, item] of Object.entries(value)) bytes += 8 + name.length + bytesOfJson(item);
  return bytes;
}
