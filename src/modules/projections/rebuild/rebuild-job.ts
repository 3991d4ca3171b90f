import { distance, within, type Position } from '../../../kernel/position.js';
import type { BuildError } from '../build.js';
import type { RebuildPhase, RebuildProgress } from '../operations.js';
import type { RunnerContext } from '../runner/runner-context.js';
import type { BuildWork } from '../runner/fold-batch.js';
import { BulkBuild } from './bulk-build.js';

/** How far back the rate looks, in milliseconds. */
const RATE_WINDOW_MS = 5_000;

/** One build on its way through a rebuild, and what is told of it. */
export class RebuildJob {
  readonly bulk: BulkBuild;
  phase: RebuildPhase = 'waiting';
  error: BuildError | null = null;
  /** Who holds its view, while it is ready to swap. */
  blockedBy: string | null = null;
  /** Its failure was stored. */
  told = false;
  rows: number | null = null;
  /** The ends it is heading for; null until the log was asked. */
  target: Position | null = null;
  begin: Position = {};
  /** Somebody else took it over, or it must be claimed again before the next pass. */
  lost = false;
  #samples: { readonly at: number; readonly events: number }[] = [];

  constructor(
    context: RunnerContext,
    readonly work: BuildWork,
  ) {
    this.bulk = new BulkBuild(context, work);
  }

  /** The first failure stands. */
  fail(error: BuildError): void {
    this.error ??= error;
    this.phase = 'failed';
  }

  /** `position`: where it stands. `runners`: processes that move it, this one left out. */
  snapshot(now: number, position: Position, runners: number): RebuildProgress {
    const { build } = this.work;
    const done = this.phase !== 'waiting' && this.phase !== 'building';
    const eventsTotal = this.target === null ? 0 : distance(this.begin, this.target);
    const events = done ? eventsTotal : Math.min(eventsTotal, distance(this.begin, within(position, this.target ?? {})));
    // It has begun anew, or goes on from its checkpoint: what it had done before says nothing of how fast it is.
    if (events < (this.#samples.at(-1)?.events ?? 0)) this.#samples = [];
    this.#samples.push({ at: now, events });
    while (this.#samples.length > 2 && now - (this.#samples[0]?.at ?? now) > RATE_WINDOW_MS) this.#samples.shift();
    const first = this.#samples[0] ?? { at: now, events };
    const eventsPerSecond = now > first.at ? Math.round(((events - first.events) / (now - first.at)) * 1000) : 0;
    return {
      projection: build.projection,
      version: build.version,
      build: build.id,
      number: build.number,
      phase: this.phase,
      events,
      eventsTotal,
      eventsPerSecond,
      secondsLeft: done ? 0 : eventsPerSecond > 0 ? Math.ceil((eventsTotal - events) / eventsPerSecond) : null,
      rows: this.rows,
      runners,
      letters: this.bulk.letters,
      error: this.error?.message ?? this.blockedBy,
    };
  }
}
