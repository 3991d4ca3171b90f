import { openOf, type LetterCounts } from '../../database/dead-letters/dead-letter.js';
import { buildLabel } from '../../modules/projections/build.js';
import type { BuildStatus, PlanEntry, ProjectionStatus } from '../../modules/projections/operations.js';
import type { CommandContext } from '../command-context.js';
import { bytes, count, duration, plural } from '../format.js';
import type { Output } from '../output.js';
import { checkNames } from '../projection-names.js';
import type { Session } from '../session.js';

const PENDING_CHANGES = 3;

/** `projections list`: one line a projection. */
export async function listProjections(context: CommandContext, names: readonly string[]): Promise<number> {
  const projections = await statuses(context, names);
  context.out.answer({ projections }, () => projectionTable(projections, context.out));
  return 0;
}

/** One line a projection: what is live, how far behind, what else there is. */
export function projectionTable(projections: readonly ProjectionStatus[], out: Output): string {
  if (projections.length === 0) return 'No projections: none is declared in what was loaded, and none is built.';
  return out.table(
    ['projection', 'in code', 'live', 'behind', 'rows', 'others'],
    projections.map((projection) => {
      const live = projection.builds.find(({ active }) => active);
      const others = projection.builds
        .filter((build) => build !== live)
        .map(
          ({ build, orphaned }) =>
            `v${build.version} build ${build.number} ${stateText(build.state, out)}${orphaned ? out.color.yellow(' orphaned') : ''}`,
        );
      return [
        projection.name,
        projection.versions.map((version) => `v${version}`).join(' ') || out.color.dim('–'),
        live
          ? `v${live.build.version} build ${live.build.number}${live.build.error ? out.color.red(' stopped') : ''}${openOf(live.letters) > 0 ? out.color.red(` ${lettersText(live.letters, out)} aside`) : ''}${live.orphaned ? out.color.yellow(' orphaned') : ''}`
          : out.color.dim('none'),
        live ? count(live.behind) : '',
        live?.rows === null || live === undefined ? '' : count(live.rows),
        others.join(', '),
      ];
    }),
    [3, 4],
  );
}

/** `projections status`: one line a build, then what stopped any. */
export async function showStatus(context: CommandContext, names: readonly string[]): Promise<number> {
  const projections = await statuses(context, names);
  const { out } = context;
  out.answer({ projections }, () => {
    const builds = projections.flatMap((projection) => projection.builds);
    if (builds.length === 0) return projectionTable(projections, out);
    const table = out.table(
      ['id', 'build', 'state', 'behind', 'letters', 'rows', 'size', 'runners', 'since'],
      builds.map((one) => [
        String(one.build.id),
        buildLabel(one.build),
        `${stateText(one.build.state, out)}${one.orphaned ? out.color.yellow(' orphaned') : ''}`,
        count(one.behind),
        lettersText(one.letters, out),
        one.rows === null ? '–' : count(one.rows),
        bytes(one.bytes),
        count(one.runners),
        one.build.stateSince.slice(0, 19).replace('T', ' '),
      ]),
      [0, 3, 4, 5, 6, 7],
    );
    return [table, ...builds.flatMap((one) => remarks(one, out))].join('\n');
  });
  return 0;
}

/** Dead letters, and after the plus those that wait behind them. */
export function lettersText({ letters, followers }: LetterCounts, out: Output): string {
  if (letters + followers === 0) return '0';
  return out.color.red(followers === 0 ? count(letters) : `${count(letters)} +${count(followers)}`);
}

function remarks({ build, orphaned, progress, groupEnded, letters }: BuildStatus, out: Output): readonly string[] {
  const lines: string[] = [];
  if (build.error) {
    const { at } = build.error;
    const place = at === null ? '' : ` at ${at.topic}/${at.partition}:${at.offset}${at.type === null ? '' : ` (${at.type})`}`;
    lines.push(`${out.color.red(`${buildLabel(build)} stopped${place}`)}: ${build.error.message}`);
  }
  if (groupEnded !== null) lines.push(out.color.yellow(groupEnded));
  if (openOf(letters) > 0) {
    lines.push(
      `${out.color.red(`${buildLabel(build)} has set ${plural(openOf(letters), 'event')} aside`)}: see npx nest-kappa dead-letters list ${build.projection}.`,
    );
  }
  if (orphaned) {
    const position = progress.map((line) => `${line.topic}/${line.partition}:${line.nextOffset}`).join(' ');
    lines.push(
      `${out.color.yellow(`${buildLabel(build)} is orphaned`)}: no running process and nothing loaded has its version; it stands at ${position || 'the begin'}.`,
    );
  }
  return lines;
}

/** `projections plan`: what would have to be done; with `check`, pending changes, also of the schema, are exit code 3. */
export async function showPlan(context: CommandContext, names: readonly string[], check: boolean): Promise<number> {
  const session = await context.open({ definitions: true, anySchema: check });
  const { out } = context;
  const steps = check ? await pendingSteps(session) : [];
  if (steps.length > 0) {
    // The tables that a plan is made from may be missing: only the steps are known to be pending.
    out.answer({ pending: steps.length, steps, plan: [] }, () => stepsText(session.database.schema, steps, out));
    return endCheck(steps.length, out);
  }
  await checkNames(session, names);
  const plan = await session.operations.plan(names);
  const pending = plan.filter(({ action }) => action !== 'none');
  out.answer({ pending: pending.length, steps, plan }, () => planText(plan, out));
  return check && pending.length > 0 ? endCheck(pending.length, out) : 0;
}

async function pendingSteps({ migrator }: Session): Promise<readonly string[]> {
  return (await migrator.status()).filter(({ appliedAt }) => appliedAt === null).map(({ id }) => id);
}

function stepsText(schema: string, steps: readonly string[], out: Output): string {
  return [
    `${out.color.bold(`schema ${schema}`)}  ${out.color.yellow('behind')}`,
    ...steps.map((step) => `  ${step}`),
    `  ${out.color.dim('next')}        npx nest-kappa database migrate`,
  ].join('\n');
}

function endCheck(pending: number, out: Output): number {
  out.note(out.color.yellow(`${plural(pending, 'change')} pending.`));
  return PENDING_CHANGES;
}

function planText(plan: readonly PlanEntry[], out: Output): string {
  if (plan.length === 0) return 'Nothing is declared.';
  return plan
    .map((entry) => {
      const title = `${out.color.bold(`${entry.projection} v${entry.version}`)}  ${entry.action === 'none' ? out.color.green('up to date') : out.color.yellow(entry.action.replaceAll('-', ' '))}`;
      const letters =
        openOf(entry.letters) === 0 ? [] : [`  ${out.color.dim('letters')}     ${lettersText(entry.letters, out)}`];
      if (entry.action === 'none') return [title, ...letters].join('\n');
      const { events, seconds, bytes: size } = entry.estimate;
      const estimate = [
        plural(events, 'event'),
        ...(seconds === null ? [] : [`about ${duration(seconds)}`]),
        ...(size === null ? [] : [`about ${bytes(size)}`]),
      ].join(', ');
      return [
        title,
        ...entry.changes.map((change) => `  ${change}`),
        ...letters,
        `  ${out.color.dim('to do')}       ${estimate}`,
        ...entry.dependants.map(
          ({ kind, name, effect }) =>
            `  ${out.color.dim('dependant')}   ${kind} ${name}: ${effect === 'refused' ? out.color.red(effect) : effect}`,
        ),
        `  ${out.color.dim('next')}        ${entry.next}`,
      ].join('\n');
    })
    .join('\n\n');
}

async function statuses(context: CommandContext, names: readonly string[]): Promise<readonly ProjectionStatus[]> {
  const session = await context.open();
  await checkNames(session, names);
  return session.operations.status(names);
}

function stateText(state: string, out: Output): string {
  if (state === 'live') return out.color.green(state);
  if (state === 'failed' || state === 'aborted') return out.color.red(state);
  return state === 'ready' ? out.color.cyan(state) : state;
}
