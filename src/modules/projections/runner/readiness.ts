import { isTransient } from '../../../database/database-errors.js';
import { KappaError } from '../../../kernel/errors.js';
import { topicName } from '../../../kernel/names.js';
import { covers, NOWHERE, partitionKey, type PartitionKey, type Position } from '../../../kernel/position.js';
import { buildLabel, positionOf, type Build, type PartitionProgress } from '../build.js';
import { moveIfPossible } from '../move-if-possible.js';
import { sharedPosition } from '../shared-position.js';
import { groupEndedText, lostMembers, membersOf } from '../swap-group.js';
import type { RunnerContext } from './runner-context.js';
import { SwapWaits } from './swap-waits.js';

/** Swaps these builds in one transaction. */
export type SwapTogether = (builds: readonly Build[]) => Promise<unknown>;

/** A swap that did not happen now, and may at the next look. */
const NOT_YET = new Set(['KAPPA_BUILD_BEHIND', 'KAPPA_BUILD_STATE', 'KAPPA_RETRIABLE', 'KAPPA_UNKNOWN_OUTCOME']);

/**
 * Takes builds from `catching-up` to `ready`, and to `live` those that are to swap by themselves. A build is ready when it has
 * reached where the live build stood a moment ago, and where the log ended in partitions that no live build reads: equality at
 * one instant never comes while events keep coming, and the swap checks again under its locks.
 *
 * Builds of a group swap together when all are ready. When one has ended instead, the group is given up: what is ready stays so,
 * and swaps by itself no more.
 *
 * While a long reader holds a view, tries come ever more seldom, and who holds it is said once.
 */
export class Readiness {
  readonly #targets = new Map<number, Position>();

  constructor(
    private readonly context: Pick<RunnerContext, 'builds' | 'log' | 'logger'>,
    private readonly swap: SwapTogether,
    private readonly waits = new SwapWaits(),
  ) {}

  /** Why the build, ready to swap, has not swapped yet: who holds its view. Null where nobody was met. */
  blockedBy(build: Build): string | null {
    return this.waits.textOf(build);
  }

  /** False while its next try to swap is still some time off. */
  isDue(build: Build): boolean {
    return this.waits.isDue(build);
  }

  /** Looks once; returns the build as it is then. */
  async look(build: Build): Promise<Build> {
    let current = build;
    if (current.state === 'catching-up' && (await this.#caughtUp(current))) {
      current = await this.#move(current);
    }
    if (current.state === 'ready' && current.swapWhenReady) current = await this.#swapGroup(current);
    if (current.state !== 'ready' || !current.swapWhenReady) this.waits.end(current);
    return current;
  }

  async #caughtUp(build: Build): Promise<boolean> {
    const progress = await this.context.builds.progress(build.id);
    const reached = positionOf(progress);
    const target = this.#targets.get(build.id);
    if (target && covers(reached, target)) {
      this.#targets.delete(build.id);
      return true;
    }
    if (!target) {
      const wanted = await this.#target(build, progress);
      if (covers(reached, wanted)) return true;
      this.#targets.set(build.id, wanted);
    }
    return false;
  }

  async #target(build: Build, progress: readonly PartitionProgress[]): Promise<Position> {
    const { builds, log } = this.context;
    const live = await builds.active(build.projection);
    const seen = live && live.id !== build.id ? sharedPosition(await builds.progress(live.id), progress) : NOWHERE;
    const target: Record<PartitionKey, number> = { ...seen };
    for (const topic of new Set(progress.map((line) => line.topic))) {
      for (const { partition, end } of await log.offsets(topicName(topic))) target[partitionKey(topic, partition)] ??= end;
    }
    return target;
  }

  async #move(build: Build): Promise<Build> {
    const { builds } = this.context;
    // Where another process was quicker, what it made of the build.
    return (await moveIfPossible(builds, build.id, 'ready')) ?? (await builds.get(build.id)) ?? build;
  }

  async #swapGroup(build: Build): Promise<Build> {
    const { builds } = this.context;
    const group = build.swapGroup === null ? [build] : await builds.group(build.swapGroup);
    const lost = lostMembers(group);
    const waiting = membersOf(group).filter((member) => member.swapWhenReady);
    if (lost.length > 0 && build.swapGroup !== null) await this.#giveUp(build.swapGroup, group, lost);
    else if (waiting.some((member) => member.state !== 'ready')) return build;
    else if (this.waits.isDue(build)) await this.#swap(build, waiting);
    return (await builds.get(build.id)) ?? build;
  }

  /** Said once, by the process that does it. */
  async #giveUp(id: string, group: readonly Build[], lost: readonly Build[]): Promise<void> {
    const left = (await this.context.builds.endGroup(id, lost)).filter((member) => !lost.some((one) => one.id === member.id));
    for (const member of left) this.context.logger.warn(groupEndedText(member, group));
  }

  async #swap(build: Build, builds: readonly Build[]): Promise<void> {
    try {
      await this.swap(builds);
    } catch (error) {
      const code = error instanceof KappaError ? error.code : '';
      if (error instanceof KappaError && code === 'KAPPA_SWAP_BLOCKED') this.#blocked(build, error);
      else if (code === 'KAPPA_SWAP_UNDER_WAY') this.waits.leaveToOther(build);
      else if (!NOT_YET.has(code) && !isTransient(error)) throw error;
    }
  }

  #blocked(build: Build, error: KappaError): void {
    if (!this.waits.blocked(build, error)) return;
    this.context.logger.warn(
      `${buildLabel(build)} is ready but cannot swap yet: ${error.message}; trying again, ever more seldom, until it is free`,
    );
  }
}
