import type { RunnerContext } from '../runner/runner-context.js';
import type { SwapTogether } from '../runner/readiness.js';
import { swapBuilds } from '../swap/swap-builds.js';

export interface SwapTogetherOptions {
  /** How long a build goes on projecting after it was swapped away, in hours. Default 24. */
  readonly standbyHours?: number;
  readonly signal?: AbortSignal;
}

/** One try of an engine ends after this; a later look tries again, and other builds do not wait for it meanwhile. */
const ONE_TRY_MS = 2_000;

/** How engines swap builds that are to swap by themselves. */
export function swapTogether(
  context: Pick<RunnerContext, 'database' | 'builds'>,
  { standbyHours = 24, signal }: SwapTogetherOptions = {},
): SwapTogether {
  return (builds) =>
    swapBuilds(context, builds, {
      standbyMs: standbyHours * 3_600_000,
      maxWaitMs: ONE_TRY_MS,
      unlessUnderWay: true,
      ...(signal ? { signal } : {}),
    });
}
