type Writable<T> = { -readonly [Name in keyof T]: T[Name] };

/**
 * A constructor of plain objects, equal in all to what a literal makes. For what is made in great numbers and soon thrown away:
 * where most of what a literal made first is still in use at a sweep, the engine puts all that it makes later among what is old,
 * together with what that refers to, for as long as the process runs. Of constructors it learns nothing of the kind.
 */
export function plain<T extends object, Values extends unknown[]>(
  fill: (this: Writable<T>, ...values: Values) => void,
): new (...values: Values) => T {
  fill.prototype = Object.prototype;
  return fill as unknown as new (...values: Values) => T;
}
