import { createRequire } from 'node:module';
import { KappaError } from './errors.js';
import type { Shape, StandardShape } from './shape.js';

/** One thing that is wrong with a payload or command: where, and what. */
export interface PayloadIssue {
  readonly path: string;
  readonly message: string;
}

type ClassValidator = typeof import('class-validator');
type ClassTransformer = typeof import('class-transformer');

/**
 * Checks `value` against its shape and returns what is to be stored (a schema may fill in defaults).
 * @throws KAPPA_INVALID_PAYLOAD with every issue.
 */
export function checkedPayload<D>(shape: Shape<D>, value: unknown, what: string): unknown {
  if (isStandard(shape)) return checkedByStandard(shape, value, what);
  if (typeof shape === 'function') {
    const issues = classIssues(shape, value);
    if (issues.length > 0) throw invalid(what, issues);
  }
  return value;
}

const NO_ISSUES: readonly PayloadIssue[] = [];
/** Decorators have run by the time a class has its first value; the look at what they left allocates more than the check. */
const withoutRules = new WeakSet<object>();

/**
 * The class-validator issues of a value against a class; none where the class has no rules.
 * The value may be an instance or a plain object.
 */
export function classIssues(target: new (...args: never[]) => unknown, value: unknown): readonly PayloadIssue[] {
  if (typeof value !== 'object' || value === null) return [{ path: '', message: 'must be an object' }];
  if (withoutRules.has(target)) return NO_ISSUES;
  const validator = optionalModule<ClassValidator>('class-validator');
  const rules = validator?.getMetadataStorage().getTargetValidationMetadatas(target, '', false, false) ?? [];
  if (!validator || rules.length === 0) {
    withoutRules.add(target);
    return NO_ISSUES;
  }
  const transformer = optionalModule<ClassTransformer>('class-transformer');
  const instance =
    value instanceof target
      ? value
      : transformer
        ? transformer.plainToInstance(target as new () => object, value)
        : Object.assign(Object.create(target.prototype as object) as object, value);
  const flatten = (errors: readonly import('class-validator').ValidationError[], path: string): PayloadIssue[] =>
    errors.flatMap((error) => {
      const at = path ? `${path}.${error.property}` : error.property;
      return [
        ...Object.values(error.constraints ?? {}).map((message) => ({ path: at, message })),
        ...flatten(error.children ?? [], at),
      ];
    });
  return flatten(validator.validateSync(instance, { forbidUnknownValues: false }), '');
}

function checkedByStandard(shape: StandardShape<unknown>, value: unknown, what: string): unknown {
  const result = shape['~standard'].validate(value);
  if (result instanceof Promise) {
    throw new KappaError('KAPPA_ASYNC_SCHEMA', `the schema of ${what} validates asynchronously`, {
      nextStep: 'Use a schema without asynchronous checks; look things up in prepare.',
    });
  }
  if (result.issues) {
    throw invalid(
      what,
      result.issues.map((issue) => ({
        path: (issue.path ?? []).map((part) => String(typeof part === 'object' ? part.key : part)).join('.'),
        message: issue.message,
      })),
    );
  }
  return result.value;
}

/**
 * Everything a JSON document can hold; a Date, Map, bigint or NaN would come back as something else.
 * @throws KAPPA_NOT_JSON with the place of the first that is not
 */
export function assertJson(value: unknown, what: string): void {
  if (isJson(value)) return;
  const { path, is } = firstOther(value, '') ?? { path: '', is: value };
  throw new KappaError('KAPPA_NOT_JSON', `${what} holds something JSON cannot keep at ${path || 'its root'}`, {
    facts: { path, is: typeof is === 'object' ? is?.constructor.name : typeof is },
    nextStep: 'Write times and large numbers as text.',
  });
}

/** Asked for each event: where something is wrong is told only when something is. */
function isJson(value: unknown): boolean {
  if (value === null || value === undefined || typeof value === 'string' || typeof value === 'boolean') return true;
  if (typeof value === 'number') return Number.isFinite(value);
  if (Array.isArray(value)) return value.every((item) => isJson(item));
  if (!hasFields(value)) return false;
  for (const name of Object.keys(value)) if (!isJson(value[name])) return false;
  return true;
}

function hasFields(value: unknown): value is Readonly<Record<string, unknown>> {
  return (
    typeof value === 'object' &&
    !(value instanceof Date || value instanceof Map || value instanceof Set || ArrayBuffer.isView(value))
  );
}

function firstOther(value: unknown, path: string): { readonly path: string; readonly is: unknown } | null {
  if (isJson(value)) return null;
  if (!Array.isArray(value) && !hasFields(value)) return { path, is: value };
  for (const [name, item] of Object.entries(value)) {
    const other = firstOther(item, Array.isArray(value) ? `${path}[${name}]` : path ? `${path}.${name}` : name);
    if (other) return other;
  }
  return null;
}

function invalid(what: string, issues: readonly PayloadIssue[]): KappaError {
  const shown = issues
    .map(({ path, message }) => (path && !message.startsWith(path) ? `${path}: ${message}` : message))
    .join('; ');
  return new KappaError('KAPPA_INVALID_PAYLOAD', `${what} is not valid: ${shown}`, {
    facts: { issues },
    nextStep: 'Correct the named fields.',
  });
}

function isStandard(shape: Shape<unknown>): shape is StandardShape<unknown> {
  return '~standard' in shape;
}

const require = createRequire(import.meta.url);

/** Asked for with every command: Node's own look costs more than a check. */
const found = new Map<string, unknown>();

function optionalModule<M>(name: string): M | null {
  if (!found.has(name)) found.set(name, loadOptional(name));
  return found.get(name) as M | null;
}

function loadOptional(name: string): unknown {
  try {
    return require(name);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'MODULE_NOT_FOUND') return null;
    throw error;
  }
}
