import { Backoff } from '../../../database/backoff.js';
import { buildLabel, type Build, type BuildError } from '../build.js';
import type { BatchPart } from './batch-part.js';
import { messageOf } from './final-errors.js';
import type { RunnerContext } from './runner-context.js';

/** What has stopped a build, as its row says it to whoever looks. */
export class StoredError {
  #error: BuildError | null;

  constructor(
    private readonly context: Pick<RunnerContext, 'builds' | 'logger'>,
    private readonly build: Pick<Build, 'id' | 'error' | 'projection' | 'version' | 'number'>,
  ) {
    this.#error = build.error;
  }

  /** Tried until it is stored or the signal aborts. A build in use keeps its state, so that it goes on being read. */
  async set(error: BuildError, signal: AbortSignal): Promise<void> {
    const { builds, logger } = this.context;
    const { id } = this.build;
    const backoff = new Backoff();
    while (!signal.aborted) {
      try {
        const state = (await builds.get(id))?.state;
        if (state === 'catching-up' || state === 'ready') await builds.move(id, 'failed', { error });
        else await builds.setError(id, error);
        return;
      } catch (cause) {
        logger.warn(`${buildLabel(this.build)}: its error cannot be stored (${messageOf(cause)}); trying again`);
        await backoff.wait(signal);
      }
    }
  }

  /** Cleared where the record that stopped it last time is among what was taken in. */
  async passed(moved: readonly BatchPart[]): Promise<void> {
    const at = this.#error?.at;
    if (!this.#error) return;
    if (at && !moved.some((part) => part.topic === at.topic && part.partition === at.partition && part.to > at.offset)) return;
    this.#error = null;
    await this.context.builds.setError(this.build.id, null);
  }
}
