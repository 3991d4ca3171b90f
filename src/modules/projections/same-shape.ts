/** What a column may hold, in turn: an engine that has seen them all keeps one hidden class for all objects. */
const KINDS: readonly unknown[] = [1, 0.5, 'text', null];

/**
 * Makes objects that have these properties, null at first, in this order. All share one hidden class, and have room for these
 * properties alone: what begins as `{}` has room for four, and a second object for what is more.
 */
export function sameShape(properties: readonly string[]): () => Record<string, unknown> {
  const template = JSON.parse(`{${properties.map((name) => `${JSON.stringify(name)}:null`).join(',')}}`) as Record<
    string,
    unknown
  >;
  for (const kind of KINDS) for (const name of properties) template[name] = kind;
  return () => ({ ...template });
}
