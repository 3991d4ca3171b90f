import { buildLabel, type Build, type BuildState } from '../../modules/projections/build.js';
import type { CommandContext } from '../command-context.js';
import { plural } from '../format.js';
import { checkNames } from '../projection-names.js';
import type { Session } from '../session.js';
import { userName } from '../user-name.js';
import { wholeNumber } from '../wrong-usage.js';
import { buildOption } from './swap.js';

/** `projections retire`: asks, for a retired build cannot be rolled back to. */
export async function retireBuilds(
  context: CommandContext,
  names: readonly string[],
  build: string | undefined,
  yes: boolean,
): Promise<number> {
  return endBuilds(context, names, build, yes, {
    states: ['standby'],
    effect: (builds) =>
      `will end ${builds}: rolling back to ${builds.includes(',') ? 'them' : 'it'} will not be possible any more.`,
    document: 'retired',
    end: (session, name, options) => session.operations.retire(name, options),
  });
}

/** `projections drop`: asks, for the tables are gone then. */
export async function dropBuilds(
  context: CommandContext,
  names: readonly string[],
  build: string | undefined,
  yes: boolean,
): Promise<number> {
  return endBuilds(context, names, build, yes, {
    states: ['retired', 'aborted', 'failed'],
    effect: (builds) => `will drop the ${builds.includes(',') ? 'tables' : 'table'} of ${builds}. The log is not touched.`,
    document: 'dropped',
    end: (session, name, options) => session.operations.drop(name, options),
  });
}

/** `projections accept`: changed code under an unchanged version means the same. */
export async function acceptProjections(
  context: CommandContext,
  names: readonly string[],
  version: string | undefined,
): Promise<number> {
  const options = { by: userName(), ...(version === undefined ? {} : { version: wholeNumber('--version', version) }) };
  const session = await context.open({ definitions: true, write: true });
  await checkNames(session, names);
  const accepted: Build[] = [];
  for (const name of names) accepted.push(await session.operations.accept(name, options));
  context.out.answer({ accepted }, () =>
    accepted.map((build) => `${buildLabel(build)}: its code counts as unchanged.`).join('\n'),
  );
  return 0;
}

interface Ending {
  readonly states: readonly BuildState[];
  effect(builds: string): string;
  readonly document: string;
  end(session: Session, name: string, options: { readonly build?: number }): Promise<readonly Build[]>;
}

async function endBuilds(
  context: CommandContext,
  names: readonly string[],
  build: string | undefined,
  yes: boolean,
  ending: Ending,
): Promise<number> {
  const options = buildOption(build);
  const session = await context.open({ write: true });
  await checkNames(session, names);
  const statuses = await session.operations.status(names);
  const concerned = statuses
    .flatMap(({ builds }) => builds.map((one) => one.build))
    .filter((one) => (options.build === undefined ? ending.states.includes(one.state) : one.id === options.build));
  if (concerned.length === 0 && options.build === undefined) {
    context.out.answer(
      { [ending.document]: [] },
      () => `Nothing to do: no build of ${names.join(', ')} is ${ending.states.join(' or ')}.`,
    );
    return 0;
  }
  const effect = `In ${session.place}, schema ${session.database.schema}, this ${ending.effect(concerned.map(buildLabel).join(', ') || `build ${options.build}`)}`;
  if (!(await context.confirm(effect, yes))) {
    context.out.note('Nothing was changed.');
    return 1;
  }
  const ended: Build[] = [];
  for (const name of names) ended.push(...(await ending.end(session, name, options)));
  context.out.answer({ [ending.document]: ended }, () =>
    ended.length === 0
      ? 'Nothing was changed.'
      : `${plural(ended.length, 'build')} ${ending.document}: ${ended.map(buildLabel).join(', ')}`,
  );
  return 0;
}
