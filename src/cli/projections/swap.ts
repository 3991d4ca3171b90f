import { openOf } from '../../database/dead-letters/dead-letter.js';
import { buildLabel } from '../../modules/projections/build.js';
import type { SwapResult, VerifyResult } from '../../modules/projections/operations.js';
import type { CommandContext } from '../command-context.js';
import { count, plural } from '../format.js';
import type { Output } from '../output.js';
import { lettersText } from './look.js';
import { checkNames } from '../projection-names.js';
import type { Session } from '../session.js';
import { wholeNumber } from '../wrong-usage.js';
import { standsStill } from './stands-still.js';

export interface VerifyFlags {
  readonly build?: string;
  readonly samples?: string;
}

export interface SwapFlags {
  readonly version?: string;
  readonly build?: string;
  readonly verify?: boolean;
  readonly withDeadLetters?: boolean;
}

export interface RollbackFlags {
  readonly build?: string;
  readonly stale?: boolean;
}

/** `projections verify`: rows added, removed and changed between the live build and the newest candidate. */
export async function verifyProjections(
  context: CommandContext,
  names: readonly string[],
  flags: VerifyFlags,
): Promise<number> {
  const samples = flags.samples === undefined ? undefined : wholeNumber('--samples', flags.samples, 0);
  const build = buildOption(flags.build);
  const session = await ready(context, names);
  const results: VerifyResult[] = [];
  for (const name of names)
    results.push(await session.operations.verify(name, { ...build, ...(samples === undefined ? {} : { samples }) }));
  context.out.answer({ results }, () => results.map((result) => verifyText(result, context.out)).join('\n\n'));
  return 0;
}

/** `projections swap`: several names in one transaction. */
export async function swapProjections(context: CommandContext, names: readonly string[], flags: SwapFlags): Promise<number> {
  const options = {
    ...buildOption(flags.build),
    ...(flags.version === undefined ? {} : { version: wholeNumber('--version', flags.version) }),
    ...(flags.verify ? { verify: true } : {}),
    ...(flags.withDeadLetters ? { withDeadLetters: true } : {}),
  };
  const session = await ready(context, names);
  const swapped = await session.operations.swap(names, options);
  context.out.answer({ swapped }, () => swapText(swapped, context.out));
  return 0;
}

/** `projections rollback`: back to the newest standby build. */
export async function rollBack(context: CommandContext, names: readonly string[], flags: RollbackFlags): Promise<number> {
  const options = { ...buildOption(flags.build), ...(flags.stale ? { stale: true } : {}) };
  const session = await ready(context, names);
  const rolledBack = await session.operations.rollback(names, options);
  context.out.answer({ rolledBack }, () => swapText(rolledBack, context.out));
  return 0;
}

/** The option of the contract from `--build <id>`. @throws KAPPA_USAGE */
export function buildOption(text: string | undefined): { readonly build?: number } {
  return text === undefined ? {} : { build: wholeNumber('--build', text) };
}

async function ready(context: CommandContext, names: readonly string[]): Promise<Session> {
  const session = await context.open({ definitions: true, write: true });
  await checkNames(session, names);
  return session;
}

function swapText(results: readonly SwapResult[], out: Output): string {
  return results
    .flatMap(({ projection, from, to, lockedMs, letters, runners }) => {
      const before = from === null ? 'nothing' : `v${from.version} build ${from.number}`;
      const aside = openOf(letters) === 0 ? '' : `  ${lettersText(letters, out)} aside`;
      const line = `${out.color.green(projection)}  ${before} → v${to.version} build ${to.number}  ${out.color.dim(`locked ${lockedMs.toFixed(1)} ms`)}${aside}`;
      return runners === 0 ? [line, standsStill(to, out)] : [line];
    })
    .join('\n');
}

function verifyText(result: VerifyResult, out: Output): string {
  const differing = result.added + result.removed + result.changed;
  const verdict =
    differing === 0
      ? out.color.green('equal')
      : out.color.yellow(`${plural(differing, 'row')} ${differing === 1 ? 'differs' : 'differ'}`);
  return [
    `${buildLabel(result.candidate)} beside ${buildLabel(result.live)}: ${verdict}`,
    out.pairs([
      ['rows', `${count(result.rowsLive)} live, ${count(result.rowsCandidate)} in the candidate`],
      ['added', count(result.added)],
      ['removed', count(result.removed)],
      ['changed', count(result.changed)],
      [
        'letters',
        `${lettersText(result.lettersLive, out)} live, ${lettersText(result.lettersCandidate, out)} in the candidate`,
      ],
    ]),
    ...result.samples.map(
      (sample) => `  ${sample.key}\n    live       ${rowText(sample.live)}\n    candidate  ${rowText(sample.candidate)}`,
    ),
  ].join('\n');
}

function rowText(row: Readonly<Record<string, unknown>> | null): string {
  return row === null
    ? '–'
    : JSON.stringify(row, (_, value: unknown) => (typeof value === 'bigint' ? value.toString() : value));
}
