/** Nest asks every provider for these; a stand-in that answered would be taken to have them. */
const NEST_HOOKS: ReadonlySet<PropertyKey> = new Set([
  'then',
  'onModuleInit',
  'onApplicationBootstrap',
  'onModuleDestroy',
  'beforeApplicationShutdown',
  'onApplicationShutdown',
]);

/**
 * A stand-in for what exists only after the start, so that it can be injected before: each use asks `find`, which throws while
 * it is too early. An `instanceof` its class.
 */
export function lateBound<T extends object>(type: abstract new (...args: never[]) => T, find: () => T): T {
  const methods = new Map<string, { readonly of: T; readonly value: unknown; readonly bound: unknown }>();
  return new Proxy(Object.create(type.prototype as object) as T, {
    get(self, name, receiver) {
      if (typeof name === 'symbol' || NEST_HOOKS.has(name) || name === 'constructor')
        return Reflect.get(self, name, receiver) as unknown;
      const late = find();
      const value = Reflect.get(late, name, late) as unknown;
      if (typeof value !== 'function') return value;
      const known = methods.get(name);
      if (known?.of === late && known.value === value) return known.bound;
      const bound = (value as (...args: unknown[]) => unknown).bind(late);
      methods.set(name, { of: late, value, bound });
      return bound;
    },
  });
}
