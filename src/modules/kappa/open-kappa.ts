import { silentLogger } from '../../kernel/logger.js';
import { KappaError } from '../../kernel/errors.js';
import type { KappaDefinitions, KappaOptions } from './kappa-options.js';
import { KappaRuntime, type RuntimeHost, type RuntimeStart } from './kappa-runtime.js';
import { checkOptions } from './options-check.js';

export interface OpenKappaOptions extends RuntimeStart, Partial<RuntimeHost> {
  /** Default: the environment of this process. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/**
 * A started runtime without Nest: for commands, scripts and tests. The caller stops it.
 * @throws KAPPA_BAD_OPTIONS; what {@link KappaRuntime.start} throws
 */
export async function openKappa(
  options: KappaOptions,
  definitions: KappaDefinitions,
  open: OpenKappaOptions = {},
): Promise<KappaRuntime> {
  const { aggregates = [], projections = [], policies = [] } = definitions;
  const runtime = new KappaRuntime(checkOptions({ options, aggregates, projections, policies }, open.env), {
    inject: open.inject ?? noInjection,
    logger: open.logger ?? silentLogger,
  });
  await runtime.start(open);
  return runtime;
}

function noInjection(token: { readonly name: string }): never {
  throw new KappaError('KAPPA_NO_INJECTION', `${token.name} cannot be injected here`, {
    nextStep: 'Give inject, or execute this command in the application.',
  });
}
