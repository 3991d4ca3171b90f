/**
 * Freezes plain objects and arrays all the way down, so that a function which must be pure fails where it mutates. What is
 * frozen already is taken to be frozen below, too: states share their unchanged parts.
 */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value) || ArrayBuffer.isView(value)) return value;
  Object.freeze(value);
  for (const item of Object.values(value)) deepFreeze(item);
  return value;
}
