import type { Codec } from '../../../kernel/codec.js';
import { FOLLOWING, type Build } from '../build.js';
import { buildWork } from '../build-work.js';
import { declaredVersion } from '../declared-version.js';
import { movesBuild } from '../fingerprint.js';
import { definitionOf, runningVersions } from '../processes.js';
import type { ProjectionDefinition } from '../projection.js';
import { LiveRunner } from '../runner/live-runner.js';
import type { RunnerContext } from '../runner/runner-context.js';

export interface HelpContext extends RunnerContext {
  readonly codec: Codec;
  /** Loaded definitions. */
  readonly projections: readonly ProjectionDefinition[];
}

/**
 * Runs `work` while builds that no process runs follow the log from here, as far as their definitions are loaded: so a command
 * works alone as it does beside a running application. Gives which builds that are.
 */
export async function withHelp<T>(
  context: HelpContext,
  builds: readonly Build[],
  work: (helped: readonly Build[]) => Promise<T>,
): Promise<T> {
  const running = await runningVersions(context.database, context.database.schema);
  const runners: LiveRunner[] = [];
  const helped: Build[] = [];
  try {
    for (const build of builds) {
      const definition = definitionOf(build, context.projections);
      if (!definition || !FOLLOWING.includes(build.state)) continue;
      // A process that died a moment ago still counts as running: what is on its way is helped beside it.
      const onTheWay = build.state === 'catching-up' || build.state === 'ready';
      // A build that has halted is followed by nobody, although its version runs.
      if (!onTheWay && build.error === null && running.having(build).length > 0) continue;
      if (!movesBuild(build, declaredVersion(definition).fingerprint.code)) continue;
      const runner = new LiveRunner(context, buildWork(context.database.schema, build, definition, context.codec));
      runners.push(runner);
      helped.push(build);
      runner.start();
    }
    return await work(helped);
  } finally {
    await Promise.all(runners.map((runner) => runner.stop()));
  }
}
