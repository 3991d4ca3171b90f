import { createHash } from 'node:crypto';
import { parse, type Options } from 'acorn';
import { declaredNames, importedName, type SyntaxNode } from './imported-names.js';

/** What a function's tree says about where and how it is written, not about what it does. */
const NOT_MEANING = new Set(['start', 'end', 'loc', 'range', 'raw', 'sourceType']);

const OPTIONS: Options = {
  ecmaVersion: 'latest',
  sourceType: 'module',
  allowAwaitOutsideFunction: true,
  allowSuperOutsideMethod: true,
  checkPrivateFields: false,
};

/**
 * A stable hash of what a function does, by its syntax tree: formatting, comments, quotes, its own name and the form of module
 * that it was compiled to do not count, and a method, a function and an arrow with the same parameters and body are the same.
 * Helpers that it calls are not seen. A wrapper that carries the function behind it as `source` is looked through. What cannot
 * be parsed is hashed as text.
 */
export function codeFingerprint(fn: object): string {
  const text = Function.prototype.toString.call(sourceOf(fn));
  const tree = treeOf(text);
  const meaning = tree === null ? `text:${text}` : `tree:${meaningOf(tree)}`;
  return createHash('sha256').update(meaning).digest('base64url').slice(0, 22);
}

function sourceOf(fn: object): object {
  const behind = (fn as { readonly source?: unknown }).source;
  return typeof behind === 'function' ? sourceOf(behind) : fn;
}

/** A function's text stands alone as an expression, or as a method of an object or a class. */
function treeOf(text: string): SyntaxNode | null {
  for (const wrapped of [`(${text})`, `({${text}})`, `(class {${text}})`]) {
    try {
      const program = parse(wrapped, OPTIONS) as unknown as { readonly body: readonly { readonly expression: SyntaxNode }[] };
      const found = program.body[0] && functionIn(program.body[0].expression);
      if (found) return found;
    } catch {
      // Not of this form: the next one is tried.
    }
  }
  return null;
}

function functionIn(expression: SyntaxNode): SyntaxNode | null {
  switch (expression['type']) {
    case 'ArrowFunctionExpression':
    case 'FunctionExpression':
      return {
        async: expression['async'],
        generator: expression['generator'] === true,
        params: expression['params'],
        body: bodyOf(expression),
      };
    case 'ObjectExpression':
      return functionOfMember((expression['properties'] as readonly SyntaxNode[])[0]);
    case 'ClassExpression':
      return expression['superClass'] === null && expression['id'] === null
        ? functionOfMember((expression['body'] as { readonly body: readonly SyntaxNode[] }).body[0])
        : expression;
    default:
      return null;
  }
}

function functionOfMember(member: SyntaxNode | undefined): SyntaxNode | null {
  const value = member?.['value'] as SyntaxNode | undefined;
  return value ? functionIn(value) : null;
}

/** `(s) => x` and `(s) => { return x; }` mean the same. */
function bodyOf(fn: SyntaxNode): unknown {
  const body = fn['body'] as SyntaxNode;
  if (body['type'] !== 'BlockStatement') return body;
  const statements = body['body'] as readonly SyntaxNode[];
  const [only] = statements;
  return statements.length === 1 && only?.['type'] === 'ReturnStatement' && only['argument'] ? only['argument'] : body;
}

function meaningOf(tree: SyntaxNode): string {
  const own = declaredNames(tree);
  return JSON.stringify(tree, function (this: unknown, key, value: unknown) {
    if (NOT_MEANING.has(key) && isNode(this)) return undefined;
    if (typeof value === 'bigint') return `${value}n`;
    // A literal's value is null for a regular expression that this engine does not know; its pattern stands beside it.
    return value instanceof RegExp ? value.source + '/' + value.flags : importedName(value, own);
  });
}

/** Template parts are plain objects that hold `raw` beside `cooked`; only within nodes are these names ours to drop. */
function isNode(holder: unknown): boolean {
  return typeof holder === 'object' && holder !== null && ('type' in holder || 'cooked' in holder);
}
