import type { ValueCodec } from './value-codec.js';

/** A one-dimensional array of any scalar; elements may be null. */
export function arrayCodec(element: ValueCodec): ValueCodec {
  return {
    expects: `an array, each item null or ${element.expects}`,
    canonical: (value) => {
      if (!Array.isArray(value)) return undefined;
      const items = Array.from(value as readonly unknown[], (item) => (item === null ? null : element.canonical(item)));
      return items.includes(undefined) ? undefined : items;
    },
    encode: (value) => arrayLiteral((value as readonly unknown[]).map((item) => (item === null ? null : element.encode(item)))),
    decode: (text) => parseArray(text).map((item) => (item === null ? null : element.decode(item))),
    bytes: (value) =>
      (value as readonly unknown[]).reduce<number>((sum, item) => sum + 8 + (item === null ? 0 : element.bytes(item)), 40),
  };
}

/** PostgreSQL's text of an array of texts: every item quoted, null is NULL. */
export function arrayLiteral(items: readonly (string | null)[]): string {
  let literal = '{';
  for (let i = 0; i < items.length; i += 1) {
    if (i > 0) literal += ',';
    const item = items[i];
    if (item === null || item === undefined) literal += 'NULL';
    else if (item.includes('"') || item.includes('\\')) literal += `"${item.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
    else literal += `"${item}"`;
  }
  return `${literal}}`;
}

/** The items of PostgreSQL's text of a one-dimensional array. */
export function parseArray(text: string): (string | null)[] {
  const items: (string | null)[] = [];
  let at = 1;
  while (at < text.length - 1) {
    if (text[at] === '"') {
      let item = '';
      let from = at + 1;
      for (at = from; text[at] !== '"'; at += 1) {
        if (text[at] !== '\\') continue;
        item += text.slice(from, at);
        from = at + 1;
        at += 1;
      }
      items.push(item + text.slice(from, at));
      at += 2;
    } else {
      const comma = text.indexOf(',', at);
      const end = comma < 0 ? text.length - 1 : comma;
      const item = text.slice(at, end);
      items.push(item === 'NULL' ? null : item);
      at = end + 1;
    }
  }
  return items;
}
