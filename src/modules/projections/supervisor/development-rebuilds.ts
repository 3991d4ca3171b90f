import { DeadLetterStore } from '../../../database/dead-letters/dead-letter-store.js';
import { qualified } from '../../../database/identifiers.js';
import { distance, NOWHERE } from '../../../kernel/position.js';
import { positionOf, type Build } from '../build.js';
import { isSameCode } from '../fingerprint.js';
import { moveIfPossible } from '../move-if-possible.js';
import { letterOwner } from '../dead-letters/letter-owner.js';
import type { RunnerContext } from '../runner/runner-context.js';

interface Watched {
  readonly instead: Build;
  readonly begunAt: number;
}

/**
 * Rebuilds that a saved change of a handler set off: says when one is seen by readers, in one line, and clears away what it took
 * the place of.
 */
export class DevelopmentRebuilds {
  readonly #watched = new Map<number, Watched>();

  /** `clearsStandby`: also clears away what stands by with former code. */
  constructor(
    private readonly context: RunnerContext,
    private readonly clearsStandby: boolean,
  ) {}

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
    await this.#clearAway(watched.instead.id);
    await this.clearFormer(build);
  }

  /**
   * Clears away the older builds of a live build's version that were built with other code. They cannot stand by: their code is
   * gone, and going on with the new code would mix two meanings. There is more than one where a handler was changed again before
   * the rebuild for the last change was seen, or where the process ended in between.
   */
  async clearFormer(live: Build): Promise<void> {
    if (!this.clearsStandby || live.state !== 'live') return;
    const codes = live.code.split(' ');
    for (const build of await this.context.builds.list(live.projection)) {
      const former = build.version === live.version && build.id < live.id && !codes.some((code) => isSameCode(build, code));
      if (former) await this.#clearAway(build.id);
    }
  }

  async #clearAway(id: number): Promise<void> {
    const { builds, database } = this.context;
    if ((await builds.get(id))?.state === 'standby') await moveIfPossible(builds, id, 'retired');
    const ended = await builds.get(id);
    if (ended?.state !== 'retired' && ended?.state !== 'aborted') return;
    await database.query(`drop table if exists ${qualified(database.schema, ended.tableName)}`);
    await moveIfPossible(builds, id, 'dropped');
    await new DeadLetterStore(database).forget(database, letterOwner(id));
  }
}
