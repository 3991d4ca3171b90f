import type { Queryable } from '../../../database/database.js';
import { NO_LETTERS, openOf, type LetterCounts } from '../../../database/dead-letters/dead-letter.js';
import { DeadLetterStore } from '../../../database/dead-letters/dead-letter-store.js';
import { KappaError } from '../../../kernel/errors.js';
import { buildLabel } from '../build.js';
import { letterOwner } from '../dead-letters/letter-owner.js';
import type { Flip } from './behind.js';
import type { SwapContext } from './swap-options.js';

/** Dead letters of each build of the flips, as they stand under the locks of the progress. */
export async function lettersOf(
  { database }: SwapContext,
  on: Queryable,
  flips: readonly Flip[],
): Promise<ReadonlyMap<number, LetterCounts>> {
  const builds = flips.flatMap(({ from, to }) => (from ? [from.id, to.id] : [to.id]));
  const counts = await new DeadLetterStore(database).counts(builds.map(letterOwner), on);
  return new Map(builds.map((build) => [build, counts.get(letterOwner(build)) ?? NO_LETTERS]));
}

/**
 * Readers must not lose rows they have, without anybody saying so.
 * @throws KAPPA_MORE_DEAD_LETTERS when a build has more events aside than the one it takes over from
 */
export function refuseMoreLetters(flips: readonly Flip[], letters: ReadonlyMap<number, LetterCounts>): void {
  const openIn = (build: number): number => openOf(letters.get(build) ?? NO_LETTERS);
  const more = flips.flatMap(({ from, to }) => (from && openIn(to.id) > openIn(from.id) ? [{ from, to }] : []));
  if (more.length === 0) return;
  throw new KappaError(
    'KAPPA_MORE_DEAD_LETTERS',
    more
      .map(
        ({ from, to }) =>
          `${buildLabel(to)} has ${openIn(to.id)} events set aside, ${buildLabel(from)}, which is live, has ${openIn(from.id)}`,
      )
      .join('; '),
    {
      facts: {
        builds: more.map(({ from, to }) => ({ build: to.id, open: openIn(to.id), live: from.id, openLive: openIn(from.id) })),
      },
      nextStep:
        'Nothing was swapped. See npx nest-kappa dead-letters list; retry them after a fix, discard them, or swap with --with-dead-letters.',
    },
  );
}
