import { DeadLetterStore } from '../../../database/dead-letters/dead-letter-store.js';
import { qualified } from '../../../database/identifiers.js';
import { distance, NOWHERE } from '../../../kernel/position.js';
import { positionOf, type Build } from '../build.js';
import { letterOwner } from '../dead-letters/letter-owner.js';
import type { RunnerContext } from '../runner/runner-context.js';

interface Watched {
  readonly instead: Build;
  readonly begunAt: number;
}

/**
 * Rebuilds that a saved change of a handler set off: says when one is seen by readers, in one line, and clears away the build it
 * took the place of. That one cannot stand by: its code is gone, and going on with the new code would mix two meanings.
 */
export class DevelopmentRebuilds {
  readonly #watched = new Map<number, Watched>();

  constructor(private readonly context: RunnerContext) {}

  watch(build: Build, instead: Build): void {
    this.#watched.set(build.id, { instead, begunAt: performance.now() });
  }

  /** Looks at a build that may have been swapped to. */
  async look(build: Build): Promise<void> {
    const watched = this.#watched.get(build.id);
    if (!watched || (build.state !== 'live' && !(build.state === 'ready' && !build.swapWhenReady))) return;
    this.#watched.delete(build.id);
    const { builds, logger } = this.context;
    const events = distance(NOWHERE, positionOf(await builds.progress(build.id)));
    const seconds = ((performance.now() - watched.begunAt) / 1000).toFixed(1);
    logger.log(`${build.projection} v${build.version} → rebuilt ${events.toLocaleString('en-US')} events in ${seconds} s`);
    await this.#clearAway(watched.instead);
  }

  async #clearAway({ id }: Build): Promise<void> {
    const { builds, database } = this.context;
    const old = await builds.get(id);
    if (old?.state === 'standby') await builds.move(id, 'retired');
    const ended = await builds.get(id);
    if (ended?.state !== 'retired' && ended?.state !== 'aborted') return;
    await database.query(`drop table if exists ${qualified(database.schema, ended.tableName)}`);
    await builds.move(id, 'dropped');
    await new DeadLetterStore(database).forget(database, letterOwner(id));
  }
}
