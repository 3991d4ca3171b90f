/** A node of a syntax tree, as acorn gives it. */
export type SyntaxNode = Readonly<Record<string, unknown>>;

/** How compilers to CommonJS call a module they require: `money_1`, `money_js_1` (tsc), `_money` (SWC, Babel). */
const MODULE_NAME = /^(?:\w+_\d+|_[A-Za-z]\w*)$/;

/**
 * An import is written `fromCents(x)` in an ES module, `(0, money_1.fromCents)(x)` by tsc for CommonJS and
 * `(0, _money.fromCents)(x)` by SWC. All mean the same, whichever compiler built the application and whichever one the command
 * uses (default and namespace imports have lost their names in CommonJS). Returns what the node stands for: the imported name, or the node itself. `own` are names that the function itself
 * declares; they are no modules.
 */
export function importedName(value: unknown, own: ReadonlySet<string>): unknown {
  const node = typed(value);
  if (node?.['type'] === 'SequenceExpression') {
    const [first, second, ...more] = node['expressions'] as readonly SyntaxNode[];
    return first?.['value'] === 0 && second && more.length === 0 ? importedName(second, own) : value;
  }
  if (node?.['type'] !== 'MemberExpression' || node['computed'] === true || node['optional'] === true) return value;
  const holder = typed(node['object']);
  const name = holder?.['type'] === 'Identifier' ? String(holder['name']) : '';
  return MODULE_NAME.test(name) && !own.has(name) ? node['property'] : value;
}

/** What parameters, variables, functions and classes anywhere in the tree are called. */
export function declaredNames(tree: unknown, names = new Set<string>()): ReadonlySet<string> {
  if (typeof tree !== 'object' || tree === null) return names;
  const { params, param, id } = tree as SyntaxNode;
  for (const pattern of [params, param, id]) namesIn(pattern, names);
  for (const part of Object.values(tree)) declaredNames(part, names);
  return names;
}

/** The names that a pattern binds: an identifier, or what is taken out of an object or array, with or without a default. */
function namesIn(pattern: unknown, names: Set<string>): void {
  if (Array.isArray(pattern)) for (const item of pattern) namesIn(item, names);
  const node = typed(pattern);
  if (node?.['type'] === 'Identifier') names.add(String(node['name']));
  else if (node) for (const part of ['elements', 'properties', 'value', 'left', 'argument']) namesIn(node[part], names);
}

function typed(value: unknown): SyntaxNode | null {
  return typeof value === 'object' && value !== null && 'type' in value ? { ...value } : null;
}
