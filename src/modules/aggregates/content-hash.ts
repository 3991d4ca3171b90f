import { hash } from 'node:crypto';

/** Tells the content of two commands apart: their name and fields, whatever the order of the fields. */
export function contentHash(commandName: string, command: object): string {
  return hash('sha256', `${commandName}\n${canonical(command)}`, 'base64url').slice(0, 22);
}

/** JSON with sorted names; what JSON does not know is told apart by its text. */
function canonical(value: unknown): string {
  if (typeof value === 'bigint') return `"${value}n"`;
  if (typeof value === 'number') return Number.isFinite(value) ? `${value}` : 'null';
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  if ('toJSON' in value && typeof value.toJSON === 'function') return canonical((value.toJSON as () => unknown)());
  if (Array.isArray(value)) return list(value);
  if (value instanceof Map || value instanceof Set) return list([...value]);
  return fields(value as Readonly<Record<string, unknown>>);
}

function list(items: readonly unknown[]): string {
  let text = '[';
  for (let at = 0; at < items.length; at += 1) {
    if (at > 0) text += ',';
    // A hole is nothing, neither undefined nor null.
    if (at in items) text += canonical(items[at]);
  }
  return `${text}]`;
}

function fields(values: Readonly<Record<string, unknown>>): string {
  let text = '';
  for (const name of sortedNames(values)) {
    const value = values[name];
    if (value === undefined || typeof value === 'function') continue;
    text += `${text === '' ? '' : ','}${quoted(name)}:${canonical(value)}`;
  }
  return `{${text}}`;
}

/** Names come again with each command. Data may bring any number of others, of any length. */
const quotedNames = new Map<string, string>();
const MOST_NAMES = 1_000;
const LONGEST_NAME = 64;

function quoted(name: string): string {
  const known = quotedNames.get(name);
  if (known !== undefined) return known;
  const text = JSON.stringify(name);
  if (name.length > LONGEST_NAME) return text;
  if (quotedNames.size === MOST_NAMES) quotedNames.clear();
  quotedNames.set(name, text);
  return text;
}

const FEW_NAMES = 16;

/** In order of their code units. Most objects have few fields: for those a sort of its own is most of the work. */
function sortedNames(values: object): readonly string[] {
  const names = Object.keys(values);
  if (names.length > FEW_NAMES) return names.sort();
  for (let end = 1; end < names.length; end += 1) {
    const name = names[end] ?? '';
    let at = end;
    for (let before = names[at - 1]; before !== undefined && before > name; before = names[at - 1]) {
      names[at] = before;
      at -= 1;
    }
    names[at] = name;
  }
  return names;
}
