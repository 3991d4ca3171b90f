/** A class as a token: `new` or injected. */
export type Class<T> = abstract new (...args: never[]) => T;

/** The data properties of a class: its methods left out, all read-only. */
export type Data<T> = { readonly [K in keyof T as T[K] extends (...args: never[]) => unknown ? never : K]: T[K] };

export type Method = (...args: never[]) => unknown;

/**
 * A method decorator for methods of type `F`. Generic in `M`, so that fewer parameters and narrower results stay allowed
 * (a fixed `TypedPropertyDescriptor<F>` refuses both).
 */
export type Decorates<F extends Method> = <M extends F>(
  target: object,
  key: string | symbol,
  method: TypedPropertyDescriptor<M>,
) => void;
