import { closestName } from '../kernel/did-you-mean.js';
import { KappaError } from '../kernel/errors.js';
import type { Session } from './session.js';

/** The projections there are: in the loaded definitions or in the database. */
export async function projectionNames(session: Session): Promise<readonly string[]> {
  const stored = (await session.operations.status()).map(({ name }) => name);
  return [...new Set([...session.definitions.projections.map(({ name }) => name), ...stored])].sort();
}

/**
 * Refuses names that are in neither; `fines@2` counts as `fines`.
 * @throws KAPPA_UNKNOWN_PROJECTION with what was probably meant.
 */
export async function checkNames(session: Session, names: readonly string[]): Promise<void> {
  if (names.length === 0) return;
  const known = await projectionNames(session);
  const unknown = names.map((name) => name.replace(/@\d+$/, '')).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const closest = closestName(unknown, known);
  const hint = closest === null ? '' : `; did you mean ${closest}?`;
  const empty = session.file === null ? ' No kappa.config.* was found here; --config or --app names another.' : '';
  throw new KappaError('KAPPA_UNKNOWN_PROJECTION', `there is no projection ${unknown}${hint}`, {
    facts: { projection: unknown, known },
    nextStep: `${known.length === 0 ? 'None is declared or built yet.' : `There are ${known.join(', ')}.`}${empty}`,
  });
}
