import { hash } from 'node:crypto';

/** Tells the content of two commands apart: their name and fields, whatever the order of the fields. */
export function contentHash(commandName: string, command: object): string {
  return hash('sha256', `${commandName}\n${canonical(command)}`, 'base64url').slice(0, 22);
}

/** JSON with sorted names; what JSON does not know is told apart by its text. */
function canonical(value: unknown): string {
  if (typeof value === 'bigint') return `"${value}n"`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  if ('toJSON' in value && typeof value.toJSON === 'function') return canonical((value.toJSON as () => unknown)());
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (value instanceof Map || value instanceof Set) return canonical([...value]);
  const fields = value as Readonly<Record<string, unknown>>;
  const names = Object.keys(fields).filter((name) => fields[name] !== undefined && typeof fields[name] !== 'function');
  return `{${names
    .sort()
    .map((name) => `${JSON.stringify(name)}:${canonical(fields[name])}`)
    .join(',')}}`;
}
