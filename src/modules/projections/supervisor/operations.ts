import { KappaError } from '../../../kernel/errors.js';
import { covers, distance, formatPosition } from '../../../kernel/position.js';
import { buildLabel, positionOf, type Build } from '../build.js';
import { projectionStatus } from '../build-status.js';
import { buildWork } from '../build-work.js';
import { chooseCandidate, chooseRollback, chooseSwap } from '../choose-build.js';
import { dropBuilds, retireBuilds } from '../end-builds.js';
import { declaredVersion } from '../declared-version.js';
import { readProgress, waitForProgress } from '../hold-builds.js';
import {
  ProjectionOperations,
  type BegunRebuild,
  type PlanEntry,
  type ProjectionStatus,
  type RebuildOptions,
  type RebuildProgress,
  type SwapResult,
  type VerifyResult,
} from '../operations.js';
import { planProjections } from '../plan.js';
import { isOrphaned, runningVersions } from '../processes.js';
import { chooseRebuilds } from '../rebuild/choose-rebuilds.js';
import { rebuildProjections } from '../rebuild/rebuild-projections.js';
import { sharedPosition } from '../shared-position.js';
import { swapBuilds } from '../swap/swap-builds.js';
import { verifyBuilds } from '../verify/verify-builds.js';
import { withHelp, type HelpContext } from './helping-runners.js';
import { swapTogether } from './swap-together.js';

export interface OperationsOptions extends HelpContext {
  /** Rows of rebuilds in memory, all together, in MiB. Default 256. */
  readonly rebuildMemoryMb?: number;
  /** How long a build goes on projecting after it was swapped away, in hours. Default 24. */
  readonly standbyHours?: number;
}

/** How long a build that is helped from here may take to come to where the live one stands. */
const CATCH_UP_WITHIN_MS = 60_000;

/** The operations, carried out from the loaded definitions under the same claims and epochs as a running application. */
export class Operations extends ProjectionOperations {
  constructor(private readonly options: OperationsOptions) {
    super();
  }

  async status(names: readonly string[] = []): Promise<readonly ProjectionStatus[]> {
    return projectionStatus(this.options, names);
  }

  async plan(names: readonly string[] = []): Promise<readonly PlanEntry[]> {
    return planProjections(this.options, names);
  }

  async *rebuild(options: RebuildOptions): AsyncIterable<RebuildProgress> {
    const { projections, codec, rebuildMemoryMb, standbyHours, ...context } = this.options;
    const chosen = await chooseRebuilds(context, projections, options);
    const signal = options.signal ? { signal: options.signal } : {};
    yield* rebuildProjections(
      { ...context, swap: swapTogether(context, { ...signal, ...(standbyHours === undefined ? {} : { standbyHours }) }) },
      {
        works: chosen.map(({ build, definition }) => buildWork(context.database.schema, build, definition, codec)),
        ...(rebuildMemoryMb === undefined ? {} : { memoryMb: rebuildMemoryMb }),
        ...(options.maxEventsPerSecond === undefined ? {} : { maxEventsPerSecond: options.maxEventsPerSecond }),
        ...signal,
      },
    );
  }

  async beginRebuild(options: RebuildOptions): Promise<readonly BegunRebuild[]> {
    const { database, projections } = this.options;
    const chosen = await chooseRebuilds(this.options, projections, options);
    const running = await runningVersions(database, database.schema);
    return chosen.map(({ build }) => ({ build, processes: running.moving(build) }));
  }

  async verify(
    name: string,
    options: { readonly build?: number; readonly samples?: number; readonly holdMs?: number } = {},
  ): Promise<VerifyResult> {
    const builds = await this.#buildsOf(name);
    const live = await this.#liveOf(name);
    return this.#verify(live, chooseCandidate(name, builds, options), options);
  }

  async swap(
    names: readonly string[],
    options: {
      readonly version?: number;
      readonly build?: number;
      readonly verify?: boolean;
      readonly withDeadLetters?: boolean;
    } = {},
  ): Promise<readonly SwapResult[]> {
    const targets: Build[] = [];
    for (const name of names)
      targets.push(chooseSwap(name, await this.#buildsOf(name), await this.options.builds.active(name), options));
    await this.#refuseOrphans(targets);
    if (options.verify === true) for (const target of targets) await this.#refuseDifferent(target);
    return this.#flip(targets, { action: 'swap', withDeadLetters: options.withDeadLetters === true });
  }

  async rollback(
    names: readonly string[],
    options: { readonly stale?: boolean; readonly build?: number } = {},
  ): Promise<readonly SwapResult[]> {
    const targets: Build[] = [];
    for (const name of names) targets.push(chooseRollback(name, await this.#buildsOf(name), options));
    if (options.stale !== true) await this.#refuseOrphans(targets);
    return this.#flip(targets, { action: 'rollback', stale: options.stale === true });
  }

  async retire(name: string, options: { readonly build?: number } = {}): Promise<readonly Build[]> {
    await this.#buildsOf(name);
    return retireBuilds(this.options, name, options.build);
  }

  async drop(name: string, options: { readonly build?: number } = {}): Promise<readonly Build[]> {
    await this.#buildsOf(name);
    return dropBuilds(this.options, name, options.build);
  }

  async accept(name: string, options: { readonly version?: number; readonly by?: string } = {}): Promise<Build> {
    const { builds, projections } = this.options;
    const declared = projections.filter(
      (one) => one.name === name && (options.version === undefined || one.version === options.version),
    );
    const all = await builds.list(name);
    const active = await builds.active(name);
    const build =
      active && declared.some(({ version }) => version === active.version)
        ? active
        : all
            .filter(
              (one) =>
                one.state !== 'retired' && one.state !== 'aborted' && declared.some(({ version }) => version === one.version),
            )
            .at(-1);
    const definition = build && declared.find(({ version }) => version === build.version);
    if (!definition) throw nothingToAccept(name, options.version);
    const { code } = declaredVersion(definition).fingerprint;
    const facts = { version: definition.version, by: options.by ?? null };
    // All builds of the version that still project: one that stands by must not be rebuilt for the same change.
    for (const one of all)
      if (one.version === definition.version && one.id !== build.id) await builds.accept(one.id, code, facts);
    return builds.accept(build.id, code, facts);
  }

  async #flip(
    targets: readonly Build[],
    how: { readonly action: 'swap' | 'rollback'; readonly stale?: boolean; readonly withDeadLetters?: boolean },
  ): Promise<readonly SwapResult[]> {
    const { standbyHours = 24, database } = this.options;
    // Asked before: what was done is answered with, whatever becomes of the connection afterwards.
    const running = await runningVersions(database, database.schema);
    return withHelp(this.options, targets, async (helped) => {
      if (how.stale !== true) for (const build of helped) await this.#catchUp(build);
      const swapped = await swapBuilds(this.options, targets, { ...how, standbyMs: standbyHours * 3_600_000 });
      return swapped.map((result) => ({ ...result, runners: running.moving(result.to).length }));
    });
  }

  /** A build that is moved from here needs a moment to come to where the live one stood; the swap checks again. */
  async #catchUp(build: Build): Promise<void> {
    const { builds, database } = this.options;
    const live = await builds.active(build.projection);
    if (!live) return;
    const wanted = sharedPosition(await builds.progress(live.id), await builds.progress(build.id));
    await waitForProgress(database, [build.id], CATCH_UP_WITHIN_MS, (positions) =>
      covers(positions.get(build.id) ?? {}, wanted),
    );
  }

  async #verify(
    live: Build,
    candidate: Build,
    options: { readonly samples?: number; readonly holdMs?: number },
  ): Promise<VerifyResult> {
    return withHelp(this.options, [live, candidate], () => verifyBuilds(this.options, live, candidate, options));
  }

  async #refuseDifferent(target: Build): Promise<void> {
    const live = await this.options.builds.active(target.projection);
    if (!live) return;
    const { added, removed, changed } = await this.#verify(live, target, { samples: 0 });
    if (added + removed + changed === 0) return;
    throw new KappaError(
      'KAPPA_VERIFY_DIFFERS',
      `${buildLabel(target)} differs from ${buildLabel(live)}: in rows: ${added} added, ${removed} removed, ${changed} changed`,
      {
        facts: { build: target.id, live: live.id, added, removed, changed },
        nextStep: `Nothing was swapped. See which: npx nest-kappa projections verify ${target.projection}; swap without --verify when that is meant.`,
      },
    );
  }

  /** @throws KAPPA_BUILD_ORPHANED with the distance to the live build */
  async #refuseOrphans(targets: readonly Build[]): Promise<void> {
    const { database, projections, builds } = this.options;
    const running = await runningVersions(database, database.schema);
    for (const target of targets) {
      if (!isOrphaned(target, running, projections)) continue;
      const live = await builds.active(target.projection);
      const progress = await readProgress(database, database.schema, live ? [target.id, live.id] : [target.id]);
      const own = progress.get(target.id) ?? [];
      const position = positionOf(own);
      const behind = live ? distance(position, sharedPosition(progress.get(live.id) ?? [], own)) : 0;
      throw new KappaError(
        'KAPPA_BUILD_ORPHANED',
        `${buildLabel(target)} is orphaned: no running process and nothing loaded has its version; it stands at ${formatPosition(position)}, ${behind} offsets behind the live build`,
        {
          facts: { build: target.id, projection: target.projection, version: target.version, behind, position },
          nextStep: 'Start a process that contains its version, or load it here; --stale rolls back to it as it stands.',
        },
      );
    }
  }

  /** @throws KAPPA_UNKNOWN_PROJECTION when it is neither built nor declared */
  async #buildsOf(name: string): Promise<readonly Build[]> {
    const builds = await this.options.builds.list(name);
    if (builds.length > 0 || this.options.projections.some((definition) => definition.name === name)) return builds;
    throw new KappaError('KAPPA_UNKNOWN_PROJECTION', `no projection is named ${name}`, {
      facts: { projection: name },
      nextStep: 'See `npx nest-kappa projections list`.',
    });
  }

  async #liveOf(name: string): Promise<Build> {
    const live = await this.options.builds.active(name);
    if (live) return live;
    throw new KappaError('KAPPA_NO_LIVE_BUILD', `projection ${name} has no live build`, {
      facts: { projection: name },
      nextStep: `Build it first: npx nest-kappa projections rebuild ${name} --swap.`,
    });
  }
}

function nothingToAccept(name: string, version: number | undefined): KappaError {
  const what = version === undefined ? name : `${name} v${version}`;
  return new KappaError('KAPPA_NOTHING_TO_ACCEPT', `${what} has no build whose version is declared in the loaded definitions`, {
    facts: { projection: name, version: version ?? null },
    nextStep: 'See `npx nest-kappa projections plan`.',
  });
}
