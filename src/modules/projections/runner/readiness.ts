import { isTransient } from '../../../database/database-errors.js';
import { KappaError } from '../../../kernel/errors.js';
import { topicName } from '../../../kernel/names.js';
import { covers, partitionKey, type PartitionKey, type Position } from '../../../kernel/position.js';
import { positionOf, type Build } from '../build.js';
import type { RunnerContext } from './runner-context.js';

/** Swaps these builds in one transaction. */
export type SwapTogether = (builds: readonly Build[]) => Promise<unknown>;

/** A swap that did not happen now, and may at the next look. */
const NOT_YET = new Set([
  'KAPPA_BUILD_BEHIND',
  'KAPPA_BUILD_STATE',
  'KAPPA_RETRIABLE',
  'KAPPA_SWAP_BLOCKED',
  'KAPPA_UNKNOWN_OUTCOME',
]);

/**
 * Takes builds from `catching-up` to `ready`, and to `live` those that are to swap by themselves. A build is ready when it has
 * reached where the live build stood (or, without one, the log ended) a moment ago: equality at one instant never comes while
 * events keep coming, and the swap checks again under its locks.
 */
export class Readiness {
  readonly #targets = new Map<number, Position>();

  constructor(
    private readonly context: Pick<RunnerContext, 'builds' | 'log'>,
    private readonly swap: SwapTogether,
  ) {}

  /** Looks once; returns the build as it is then. */
  async look(build: Build): Promise<Build> {
    let current = build;
    if (current.state === 'catching-up' && (await this.#caughtUp(current))) {
      current = await this.#move(current);
    }
    if (current.state === 'ready' && current.swapWhenReady) current = await this.#swapGroup(current);
    return current;
  }

  async #caughtUp(build: Build): Promise<boolean> {
    const { builds } = this.context;
    const reached = positionOf(await builds.progress(build.id));
    const target = this.#targets.get(build.id);
    if (target && covers(reached, target)) {
      this.#targets.delete(build.id);
      return true;
    }
    if (!target) {
      const wanted = await this.#target(build, Object.keys(reached) as PartitionKey[]);
      if (covers(reached, wanted)) return true;
      this.#targets.set(build.id, wanted);
    }
    return false;
  }

  async #target(build: Build, keys: readonly PartitionKey[]): Promise<Position> {
    const { builds, log } = this.context;
    const live = await builds.active(build.projection);
    const target: Record<PartitionKey, number> = {};
    if (live && live.id !== build.id) {
      for (const [key, at] of Object.entries(positionOf(await builds.progress(live.id))) as [PartitionKey, number][]) {
        if (keys.includes(key)) target[key] = at;
      }
      return target;
    }
    for (const topic of build.shape.topics) {
      for (const { partition, end } of await log.offsets(topicName(topic.name)))
        target[partitionKey(topic.name, partition)] = end;
    }
    return target;
  }

  async #move(build: Build): Promise<Build> {
    try {
      return await this.context.builds.move(build.id, 'ready');
    } catch (error) {
      if (!(error instanceof KappaError) || error.code !== 'KAPPA_BUILD_STATE') throw error;
      // Another process was quicker.
      return (await this.context.builds.get(build.id)) ?? build;
    }
  }

  async #swapGroup(build: Build): Promise<Build> {
    const { builds } = this.context;
    const group =
      build.swapGroup === null
        ? [build]
        : (await builds.list()).filter((other) => other.swapGroup === build.swapGroup && other.swapWhenReady);
    if (group.some((member) => member.state !== 'ready')) return build;
    try {
      await this.swap(group);
    } catch (error) {
      if (!(error instanceof KappaError && NOT_YET.has(error.code)) && !isTransient(error)) throw error;
    }
    return (await builds.get(build.id)) ?? build;
  }
}
