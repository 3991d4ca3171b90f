import { KappaError } from '../kernel/errors.js';
import type { Class } from '../kernel/types.js';
import type { Inject } from '../modules/aggregates/aggregate.js';

/** Services that a test gives: by class, or by whatever finds them. */
export type GivenServices = Inject | ReadonlyMap<Class<unknown>, unknown>;

/** Gives what a test has given. @throws KAPPA_NOT_GIVEN for anything else, with what `give` says to do */
export function injectGiven(services: GivenServices | null, who: string, give: (name: string) => string): Inject {
  return <T>(token: Class<T>): T => {
    const found = services && (typeof services === 'function' ? services(token) : services.get(token));
    if (found !== null && found !== undefined) return found as T;
    throw new KappaError('KAPPA_NOT_GIVEN', `${who} asks for ${token.name}`, { nextStep: give(token.name) });
  };
}
