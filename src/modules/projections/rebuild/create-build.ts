import { KappaError } from '../../../kernel/errors.js';
import type { TopicDescription } from '../../../log/event-log.js';
import type { Build } from '../build.js';
import { fingerprintOf } from '../fingerprint.js';
import type { ProjectionDefinition } from '../projection.js';
import type { RunnerContext } from '../runner/runner-context.js';
import { tableDefinition } from '../table-definition.js';

export interface CreateBuildOptions {
  readonly swapWhenReady: boolean;
  readonly swapGroup: string | null;
  /** Accepts a log whose begin is gone. */
  readonly fromRetained: boolean;
}

/**
 * The next build of a version, planned at the begin of its topics; whoever takes its lease builds it. Topics that the log does not
 * have yet are created as declared.
 * @throws KAPPA_LOG_TRUNCATED when the log's begin is gone, unless `fromRetained`; KAPPA_TOPIC_MISMATCH.
 */
export async function createBuild(
  context: Pick<RunnerContext, 'builds' | 'log'>,
  definition: ProjectionDefinition,
  options: CreateBuildOptions,
): Promise<Build> {
  const { builds, log } = context;
  const topics: { readonly description: TopicDescription; readonly begins: readonly number[] }[] = [];
  for (const topic of definition.from) {
    const { name } = topic;
    const description = await log.createTopic(topic);
    const bounds = await log.offsets(name);
    const cut = bounds.find(({ begin }) => begin > 0);
    if (cut && !options.fromRetained) {
      throw new KappaError(
        'KAPPA_LOG_TRUNCATED',
        `${name}/${cut.partition} begins at ${cut.begin}: a table built from it would lack what came before`,
        {
          facts: {
            projection: definition.name,
            version: definition.version,
            topic: name,
            partition: cut.partition,
            begin: cut.begin,
          },
          nextStep: `Restore the log, or accept what is retained: npx nest-kappa projections rebuild ${definition.name}@${definition.version} --from-retained.`,
        },
      );
    }
    topics.push({ description, begins: bounds.map(({ begin }) => begin) });
  }
  const { shape, code } = fingerprintOf(definition, tableDefinition(definition));
  return builds.create({
    projection: definition.name,
    version: definition.version,
    shape,
    code,
    swapWhenReady: options.swapWhenReady,
    swapGroup: options.swapGroup,
    state: 'planned',
    topics,
    log: await log.identity(),
  });
}
