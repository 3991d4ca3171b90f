import type { Codec } from '../../../kernel/codec.js';
import { buildLabel, FOLLOWING, type Build } from '../build.js';
import { buildWork } from '../build-work.js';
import { declaredVersion, type DeclaredVersion } from '../declared-version.js';
import { movesBuild, type CodePolicy } from '../fingerprint.js';
import { moveIfPossible } from '../move-if-possible.js';
import { OldTransactionWatch } from '../old-transaction.js';
import { versionKey, type VersionKey } from '../processes.js';
import type { ProjectionDefinition } from '../projection.js';
import { untilTogether } from '../../../kernel/timing.js';
import { buildInBulk } from '../rebuild/build-in-bulk.js';
import { RebuildJob } from '../rebuild/rebuild-job.js';
import { bulkOptions } from '../rebuild/rebuild-projections.js';
import { pause } from '../../../database/backoff.js';
import { LiveRunner } from '../runner/live-runner.js';
import { Readiness } from '../runner/readiness.js';
import type { RunnerContext } from '../runner/runner-context.js';
import { DevelopmentRebuilds } from './development-rebuilds.js';
import { ensureBuilds, takeOverLeft, type LeftBuild, type Rebuilt } from './ensure-builds.js';
import { LookPace, type Pace } from './pace.js';
import { ProcessRegistry } from './process-registry.js';
import { swapTogether } from './swap-together.js';

export interface ProjectionEngineOptions extends RunnerContext {
  readonly codec: Codec;
  /** All versions that this process has code for. */
  readonly projections: readonly ProjectionDefinition[];
  /** Shown by status. */
  readonly application: string;
  /** Rows of rebuilds in memory, all together, in MiB. Default 256. */
  readonly rebuildMemoryMb?: number;
  /** How long a build goes on projecting after it was swapped away, in hours. Default 24. */
  readonly standbyHours?: number;
  /** What changed handler code under an unchanged version does. Default `warn`. */
  readonly onChangedCode?: CodePolicy;
  /** Default: a look a second, a beat every two and a half, at rest after fifteen. */
  readonly pace?: Pace;
}

/** Old transactions are looked for every 30 seconds. */
const BEATS_PER_WATCH = 12;
/** A build that another process has just made is that process's to build; after this anybody may. */
const YIELD_MS = 2_000;

/**
 * Moves every build whose version this process has code for, and never another: builds in bulk what is planned or building and
 * nobody else builds, follows the log for what is catching up, ready, live or standing by, makes ready what is not behind, swaps
 * what is to swap by itself, retires what stood by for long enough. Any number of processes do this side by side.
 */
export class ProjectionEngine {
  readonly #declared: ReadonlyMap<VersionKey, DeclaredVersion>;
  readonly #registry: ProcessRegistry;
  readonly #readiness: Readiness;
  readonly #development: DevelopmentRebuilds;
  readonly #stopping = new AbortController();
  readonly #runners = new Map<number, LiveRunner>();
  /** When a build was first seen; ours are taken at once. */
  readonly #seen = new Map<number, number>();
  /** What was last said about a build that cannot be moved on. */
  readonly #said = new Map<number, string>();
  /** What other processes with other code are about. */
  #left: readonly LeftBuild[] = [];
  #bulk: Promise<void> | null = null;
  #wake: AbortController | null = null;
  #loops: Promise<unknown> | null = null;
  #away = false;
  readonly #pace: LookPace;

  constructor(private readonly options: ProjectionEngineOptions) {
    const declared = options.projections.map(declaredVersion);
    this.#declared = new Map(
      declared.map((one) => [versionKey({ projection: one.definition.name, version: one.definition.version }), one]),
    );
    this.#pace = new LookPace(options.pace);
    this.#registry = new ProcessRegistry(options.database, options.application, declared);
    const { standbyHours } = options;
    const swap = swapTogether(options, {
      signal: this.#stopping.signal,
      ...(standbyHours === undefined ? {} : { standbyHours }),
    });
    this.#readiness = new Readiness(options, swap);
    this.#development = new DevelopmentRebuilds(options, this.#policy === 'rebuild');
  }

  /**
   * Checks what the code declares against what was built, then works until `stop`.
   * @throws KAPPA_SHAPE_CHANGED, KAPPA_LOG_TRUNCATED, KAPPA_TOPIC_MISMATCH; errors of the database
   */
  async start({ signal }: { readonly signal?: AbortSignal } = {}): Promise<void> {
    if (this.#loops || signal?.aborted) return;
    await this.#registry.beat();
    await this.#registry.sweep();
    const { begun, rebuilt, left } = await ensureBuilds(this.options, [...this.#declared.values()], this.#policy);
    for (const build of begun) this.#seen.set(build.id, 0);
    this.#takePlace(rebuilt, left);
    for (const build of await this.#mine()) await this.#development.clearFormer(build);
    const { signal: stopping } = this.#stopping;
    this.#loops = Promise.all([this.#lookAround(stopping), this.#beat(stopping)]);
  }

  get #policy(): CodePolicy {
    return this.options.onChangedCode ?? 'warn';
  }

  #takePlace(rebuilt: readonly Rebuilt[], left: readonly LeftBuild[]): void {
    for (const { build, instead } of rebuilt) {
      this.#seen.set(build.id, 0);
      this.#development.watch(build, instead);
    }
    this.#left = left;
  }

  /** Builds that an event, or their log, has stopped in this process. */
  get halted(): readonly string[] {
    return [...this.#runners.values()]
      .filter((runner) => runner.failed)
      .map(({ work }) => `${buildLabel(work.build)} is stopped; \`npx nest-kappa projections status\` shows why`);
  }

  /** Looks again at once: something changed in this process. */
  nudge(): void {
    this.#wake?.abort();
  }

  /** Something of a build changed in this process, or is about to: no rest for a while. */
  stir(): void {
    const rested = this.#pace.isAtRest;
    this.#pace.stir();
    if (rested) this.nudge();
  }

  /** Lets every runner finish its batch, stops what is built in bulk at a checkpoint. May be called twice. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.nudge();
    await this.#loops;
    await this.#bulk;
    await Promise.all([...this.#runners.values()].map((runner) => runner.stop()));
    this.#runners.clear();
    await this.#registry.leave().catch(() => undefined);
  }

  async #lookAround(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const wake = new AbortController();
      this.#wake = wake;
      const soon = await this.#look().then(
        (result) => {
          if (this.#away) this.options.logger.log('projections: the database is back; going on');
          this.#away = false;
          return result;
        },
        (error: unknown) => {
          if (!this.#away && !signal.aborted)
            this.options.logger.warn(`projections: ${messageOf(error)}; going on when it is back`);
          this.#away = true;
          this.#pace.stir();
          return false;
        },
      );
      // `stop` wakes it too, and the beat of a process at rest.
      await pause(this.#pace.nextMs(soon), wake.signal);
    }
  }

  async #beat(signal: AbortSignal): Promise<void> {
    const watch = new OldTransactionWatch(this.options.database, (message) => this.options.logger.warn(message));
    for (let beats = 1; !signal.aborted; beats++) {
      await pause(untilTogether(this.#pace.beatMs), signal);
      if (signal.aborted) return;
      await this.#registry.beat().catch(() => undefined);
      // One after the other: at the same time each would hold a connection of its own.
      if (this.#pace.isAtRest) this.nudge();
      await this.#lookAtLeft().catch(() => undefined);
      if (beats % BEATS_PER_WATCH === 0) await watch.look().catch(() => undefined);
    }
  }

  /** What cannot be looked at now, for the database is away, is looked at with the next beat. */
  async #lookAtLeft(): Promise<void> {
    if (this.#left.length === 0) return;
    const { rebuilt, left } = await takeOverLeft(this.options, this.#left, this.#policy);
    this.#takePlace(rebuilt, left);
  }

  /** One look at all builds. True when the next should come soon. */
  async #look(): Promise<boolean> {
    const mine = await this.#mine();
    this.#pace.see(mine);
    await this.#endRunners(mine);
    this.#buildInBulk(mine.filter((build) => build.state === 'planned' || build.state === 'building'));
    let soon = false;
    for (const build of mine) {
      if (!FOLLOWING.includes(build.state)) continue;
      if (await this.#hasStoodBy(build)) continue;
      this.#follow(build);
      const now = build.state === 'catching-up' || build.state === 'ready' ? await this.#moveOn(build) : build;
      soon ||= now.state === 'catching-up' || (now.state === 'ready' && now.swapWhenReady && this.#isDue(now));
      await this.#development.look(now);
    }
    return soon;
  }

  async #moveOn(build: Build): Promise<Build> {
    try {
      const now = await this.#readiness.look(build);
      this.#said.delete(build.id);
      return now;
    } catch (error) {
      if (this.#stopping.signal.aborted) return build;
      const message = messageOf(error);
      if (this.#said.get(build.id) !== message) this.options.logger.error(`${buildLabel(build)} cannot go on: ${message}`);
      this.#said.set(build.id, message);
      return build;
    }
  }

  /** Neither at fault nor waiting for somebody who holds its view. */
  #isDue(build: Build): boolean {
    return !this.#said.has(build.id) && this.#readiness.isDue(build);
  }

  async #hasStoodBy(build: Build): Promise<boolean> {
    if (build.state !== 'standby' || build.standbyUntil === null || Date.parse(build.standbyUntil) > Date.now()) return false;
    await this.#runners.get(build.id)?.stop();
    this.#runners.delete(build.id);
    // Several processes see its window end; the first one ends it.
    await moveIfPossible(this.options.builds, build.id, 'retired');
    return true;
  }

  /** A record at fault stops a runner until the next start, or until somebody else got past it. */
  #follow(build: Build): void {
    const running = this.#runners.get(build.id);
    if (running && !(running.ended && build.error === null)) return;
    const runner = new LiveRunner(this.options, this.#work(build));
    this.#runners.set(build.id, runner);
    runner.start();
  }

  async #endRunners(mine: readonly Build[]): Promise<void> {
    for (const [id, runner] of [...this.#runners]) {
      const build = mine.find((each) => each.id === id);
      if (build && FOLLOWING.includes(build.state)) continue;
      this.#runners.delete(id);
      await runner.stop();
    }
  }

  /** One pass at a time, for all that is to be built now. */
  #buildInBulk(waiting: readonly Build[]): void {
    const now = Date.now();
    for (const { id } of waiting) if (!this.#seen.has(id)) this.#seen.set(id, now);
    const due = waiting.filter(({ id }) => now - (this.#seen.get(id) ?? now) >= YIELD_MS);
    if (due.length === 0 || this.#bulk) return;
    const jobs = due.map((build) => new RebuildJob(this.options, this.#work(build)));
    const { rebuildMemoryMb } = this.options;
    const options = bulkOptions(rebuildMemoryMb === undefined ? {} : { memoryMb: rebuildMemoryMb });
    this.#bulk = buildInBulk(this.options, jobs, options, this.#stopping.signal)
      .then(
        // What others build, and what went wrong, can wait for the next look: looking again at once would never end.
        () => jobs.some((job) => job.phase !== 'waiting'),
        (error: unknown) => {
          this.options.logger.error(`rebuild: ${messageOf(error)}`);
          return false;
        },
      )
      .then((moved) => {
        this.#bulk = null;
        if (moved) this.nudge();
      });
  }

  #work(build: Build) {
    const { definition } = this.#declared.get(versionKey(build)) as DeclaredVersion;
    return buildWork(this.options.database.schema, build, definition, this.options.codec);
  }

  /** The builds that this process has the code to move. */
  async #mine(): Promise<readonly Build[]> {
    return (await this.options.builds.list()).filter((build) => {
      const declared = this.#declared.get(versionKey(build));
      return declared !== undefined && movesBuild(build, declared.fingerprint.code);
    });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
