declare const data: unique symbol;

/** A payload described by its TypeScript type alone; nothing is checked at run time. Made by {@link type}. */
export interface TypeShape<D> {
  readonly kind: 'type';
  readonly [data]?: D;
}

/** What Standard Schema (zod, valibot, arktype …) shows to the outside: https://standardschema.dev */
export interface StandardShape<D> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => StandardResult<D> | Promise<StandardResult<D>>;
    readonly types?: { readonly input: unknown; readonly output: D } | undefined;
  };
}

export type StandardResult<D> =
  | { readonly value: D; readonly issues?: undefined }
  | {
      readonly issues: readonly {
        readonly message: string;
        readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
      }[];
    };

/** A payload's shape: a class (its class-validator rules apply), any Standard Schema, or {@link type}. */
export type Shape<D> = TypeShape<D> | (new () => D) | StandardShape<D>;

/** `event('payment.received', type<{ amount: string }>())`: compile-time only. */
export function type<D>(): TypeShape<D> {
  return { kind: 'type' };
}
