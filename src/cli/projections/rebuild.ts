import { KappaError } from '../../kernel/errors.js';
import { buildLabel, type Build } from '../../modules/projections/build.js';
import type { BegunRebuild, RebuildOptions, RebuildProgress } from '../../modules/projections/operations.js';
import type { CommandContext } from '../command-context.js';
import { count, duration, plural } from '../format.js';
import type { Output } from '../output.js';
import { checkNames } from '../projection-names.js';
import { rebuildView } from '../rebuild-view.js';
import type { Session } from '../session.js';
import { wholeNumber, wrongUsage } from '../wrong-usage.js';
import { standsStill } from './stands-still.js';

const NOTHING = 'Nothing to rebuild.';

export interface RebuildFlags {
  readonly all?: boolean;
  readonly swap?: boolean;
  readonly group?: boolean;
  readonly fromRetained?: boolean;
  readonly maxRate?: string;
  /** False by `--no-wait`. */
  readonly wait?: boolean;
}

/** `projections rebuild`: carries the work out; with `--no-wait` makes the builds and leaves the work to running processes. */
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
  if (flags.maxRate !== undefined && flags.wait === false)
    throw wrongUsage(
      '--max-rate limits the work of this command, and --no-wait leaves the work to others',
      'Give one of them.',
    );
  const maxEventsPerSecond = flags.maxRate === undefined ? undefined : wholeNumber('--max-rate', flags.maxRate);
  const session = await context.open({ definitions: true, write: true });
  await checkNames(session, names);

  const options: RebuildOptions = {
    projections: names,
    ...(flags.all ? { all: true } : {}),
    ...(flags.swap ? { swap: true } : {}),
    ...(flags.group ? { group: true } : {}),
    ...(flags.fromRetained ? { fromRetained: true } : {}),
  };
  if (flags.wait === false) return begin(session, options, out);
  return carryOut(session, context, {
    ...options,
    ...(maxEventsPerSecond === undefined ? {} : { maxEventsPerSecond }),
    signal: context.signal,
  });
}

/** Makes the builds, and says who carries them out. */
async function begin(session: Session, options: RebuildOptions, out: Output): Promise<number> {
  const begun = await session.operations.beginRebuild(options);
  out.last({ projections: begun.map(({ build, processes }) => ({ ...begunFacts(build), processes })) });
  if (!out.json) out.answer(null, () => begun.map((one) => begunText(one, out)).join('\n') || NOTHING);
  return 0;
}

async function carryOut(session: Session, { out, signal }: CommandContext, options: RebuildOptions): Promise<number> {
  const started = performance.now();
  const latest = new Map<string, RebuildProgress>();
  const view = rebuildView(out);
  try {
    for await (const step of session.operations.rebuild(options)) {
      latest.set(`${step.projection}@${step.version}`, step);
      await view.show(step);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    view.end();
  }
  const steps = [...latest.values()];
  const seconds = (performance.now() - started) / 1000;
  if (signal.aborted) return interrupted(steps, out);
  out.last({ seconds, projections: steps });
  if (!out.json) out.answer(null, () => steps.map((step) => stepText(step, seconds, out)).join('\n') || NOTHING);
  return steps.some(({ phase, error }) => phase === 'failed' || error !== null) ? 1 : 0;
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

function begunFacts({ projection, version, number, id, state }: Build): Record<string, unknown> {
  return { projection, version, build: id, number, state };
}

function begunText({ build, processes }: BegunRebuild, out: Output): string {
  const label = `${buildLabel(build)} is ${build.state}`;
  const { projection, version } = build;
  if (processes.length === 0)
    return out.color.yellow(
      `${label}, and no running process has its code: start one that has it, or carry it out here: npx nest-kappa projections rebuild ${projection}@${version}`,
    );
  const who = processes.map(({ application, host, pid }) => `${application} (${host}, pid ${pid})`).join(', ');
  return `${label}: ${who} ${processes.length === 1 ? 'carries' : 'carry'} it on; \`npx nest-kappa projections status ${projection}\` shows how far it is.`;
}

function stepText(step: RebuildProgress, seconds: number, out: Output): string {
  const label = `${step.projection} v${step.version} build ${step.number}`;
  if (step.phase === 'failed') return `${out.color.red(`${label} failed`)}: ${step.error ?? 'see status'}`;
  if (step.error !== null) return `${out.color.yellow(`${label} ${step.phase}, not swapped`)}: ${step.error}`;
  const rows = step.rows === null ? '' : `, ${plural(step.rows, 'row')}`;
  const aside = step.letters === 0 ? '' : out.color.red(`, ${count(step.letters)} aside`);
  const done = `${out.color.green(`${label} ${step.phase}`)}: ${plural(step.events, 'event')}${rows}${aside} in ${seconds < 10 ? `${seconds.toFixed(1)} s` : duration(seconds)}`;
  return step.phase === 'swapped' && step.runners === 0 ? `${done}\n${standsStill(step, out)}` : done;
}
