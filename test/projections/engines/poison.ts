import type { AnyRecorded } from '../../../src/kernel/event.js';
import { letterOwner } from '../../../src/modules/projections/dead-letters/letter-owner.js';
import { DeadLetterStore } from '../../../src/database/dead-letters/dead-letter-store.js';
import type { DeadLetter } from '../../../src/database/dead-letters/dead-letter.js';
import type { ProjectionDefinition } from '../../../src/modules/projections/projection.js';
import type { House } from './house.js';
import type { BuildWork } from '../../../src/modules/projections/runner/fold-batch.js';
import { history, type Happening } from './happenings.js';
import { Closed, Noted, Opened, Paid } from './ledger.js';

export const POISON = 666;

export function poison(account: string): Happening {
  return { account, type: Paid, data: { cents: POISON, kind: 'k1', to: account } };
}

export function opened(account: string): Happening {
  return { account, type: Opened, data: { owner: 'x' } };
}

export function paid(account: string, cents: number): Happening {
  return { account, type: Paid, data: { cents, kind: 'k1', to: account } };
}

/** What happens to twenty accounts meanwhile. */
export function others(events: number, seed: number): readonly Happening[] {
  return history(events, { accounts: 20, seed });
}

/** An account that others do not touch: opened, poisoned, and then gone on with. */
export const poisonedAccount: readonly Happening[] = [
  opened('victim'),
  paid('victim', 1),
  poison('victim'),
  paid('victim', 2),
  { account: 'victim', type: Noted, data: { text: 'nobody handles it' } },
  { account: 'victim', type: Closed, data: {} },
  opened('victim'),
];

/** The same projection, with a handler that cannot take poison. */
export function poisoned(
  definition: ProjectionDefinition,
  fails: (event: AnyRecorded) => boolean = isPoison,
  deadLetters: ProjectionDefinition['deadLetters'] = { retries: 1 },
): ProjectionDefinition {
  return {
    ...definition,
    deadLetters,
    handlers: definition.handlers.map((handler) => ({
      ...handler,
      run:
        handler.run.kind === 'raw'
          ? handler.run
          : {
              kind: 'fold',
              fold: (row, event, key) => {
                if (fails(event)) throw new Error('cannot be taken in');
                return handler.run.kind === 'fold' ? handler.run.fold(row, event, key) : null;
              },
            },
    })),
  };
}

export function isPoison(event: AnyRecorded): boolean {
  return event.type === Paid.type && (event.data as { cents: number }).cents === POISON;
}

/** What two builds must have in common; PostgreSQL's own words name the build's table. */
export function told({ partition, offset, key, type, state, reason, attempts }: DeadLetter): unknown {
  const message = reason?.message.replace(/_b\d+/, '') ?? null;
  return { partition, offset, key, type, state, code: reason?.code ?? null, message, attempts };
}

export function open(letters: readonly DeadLetter[]): readonly DeadLetter[] {
  return letters.filter(({ state }) => state === 'letter' || state === 'follower');
}

/** Asks for something, of all letters of a build. */
export async function ask(
  house: House,
  { build }: Pick<BuildWork, 'build'>,
  what: 'retry' | 'discard',
): Promise<readonly DeadLetter[]> {
  const store = new DeadLetterStore(house.database);
  const letters = await store.list({ owners: [letterOwner(build.id)], states: ['letter'], limit: 100_000 });
  return store.request(
    letters.map(({ id }) => id),
    what,
    { by: 'an operator', why: what === 'discard' ? 'booked twice' : null },
  );
}
