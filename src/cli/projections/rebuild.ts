import { KappaError } from '../../kernel/errors.js';
import type { RebuildOptions, RebuildProgress } from '../../modules/projections/operations.js';
import type { CommandContext } from '../command-context.js';
import { count, duration } from '../format.js';
import type { Output } from '../output.js';
import { checkNames } from '../projection-names.js';
import { rebuildView } from '../rebuild-view.js';
import { wholeNumber, wrongUsage } from '../wrong-usage.js';

export interface RebuildFlags {
  readonly all?: boolean;
  readonly swap?: boolean;
  readonly group?: boolean;
  readonly fromRetained?: boolean;
  readonly maxRate?: string;
  /** False by `--no-wait`. */
  readonly wait?: boolean;
}

/** `projections rebuild`: carries the work out, or hands it over with `--no-wait`. */
export async function rebuildProjections(
  context: CommandContext,
  names: readonly string[],
  flags: RebuildFlags,
): Promise<number> {
  const { out } = context;
  out.streaming();
  if (names.length === 0 && !flags.all) throw wrongUsage('no projection is named', 'Name projections, or give --all.');
  if (names.length > 0 && flags.all) throw wrongUsage('--all and names contradict each other', 'Give one of them.');
  if (flags.group && !flags.swap)
    throw wrongUsage('--group says how to swap, but --swap is not given', 'Add --swap, or leave --group out.');
  const maxEventsPerSecond = flags.maxRate === undefined ? undefined : wholeNumber('--max-rate', flags.maxRate);
  const session = await context.open({ definitions: true, write: true });
  await checkNames(session, names);

  const handOver = new AbortController();
  const options: RebuildOptions = {
    projections: names,
    ...(flags.all ? { all: true } : {}),
    ...(flags.swap ? { swap: true } : {}),
    ...(flags.group ? { group: true } : {}),
    ...(flags.fromRetained ? { fromRetained: true } : {}),
    ...(maxEventsPerSecond === undefined ? {} : { maxEventsPerSecond }),
    signal: AbortSignal.any([context.signal, handOver.signal]),
  };
  const started = performance.now();
  const latest = new Map<string, RebuildProgress>();
  const view = rebuildView(out);
  try {
    for await (const step of session.operations.rebuild(options)) {
      latest.set(`${step.projection}@${step.version}`, step);
      await view.show(step);
      if (flags.wait === false) handOver.abort();
    }
  } catch (error) {
    if (!handOver.signal.aborted && !context.signal.aborted) throw error;
  } finally {
    view.end();
  }
  const steps = [...latest.values()];
  const seconds = (performance.now() - started) / 1000;
  if (context.signal.aborted) return interrupted(steps, out);
  out.last({ seconds, projections: steps });
  if (!out.json) out.answer(null, () => summary(steps, seconds, flags.wait === false, out));
  return steps.some(({ phase }) => phase === 'failed') ? 1 : 0;
}

function interrupted(steps: readonly RebuildProgress[], out: Output): number {
  const error = new KappaError('KAPPA_INTERRUPTED', 'the rebuild was interrupted', {
    nextStep: 'Run the same command again to go on where it stopped.',
  });
  out.last({
    interrupted: true,
    projections: steps,
    error: { code: error.code, message: error.message, facts: {}, nextStep: error.nextStep },
  });
  out.note(out.color.yellow(error.message));
  return 1;
}

function summary(steps: readonly RebuildProgress[], seconds: number, handedOver: boolean, out: Output): string {
  if (steps.length === 0) return 'Nothing to rebuild.';
  return steps
    .map((step) => {
      const label = `${step.projection} v${step.version} build ${step.number}`;
      if (step.phase === 'failed') return `${out.color.red(`${label} failed`)}: ${step.error ?? 'see status'}`;
      if (handedOver)
        return `${label} is handed over to the running application; \`npx nest-kappa projections status ${step.projection}\` shows how far it is.`;
      const rows = step.rows === null ? '' : `, ${count(step.rows)} rows`;
      return `${out.color.green(`${label} ${step.phase}`)}: ${count(step.events)} events${rows}${step.letters === 0 ? '' : out.color.red(`, ${count(step.letters)} aside`)} in ${seconds < 10 ? `${seconds.toFixed(1)} s` : duration(seconds)}`;
    })
    .join('\n');
}
