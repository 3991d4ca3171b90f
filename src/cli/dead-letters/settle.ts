import type { LetterOutcome, WhichLetters } from '../../modules/operations/dead-letters/dead-letters.js';
import { placeText } from '../../database/dead-letters/dead-letter.js';
import type { CommandContext } from '../command-context.js';
import { plural } from '../format.js';
import type { Output } from '../output.js';
import { checkNames } from '../projection-names.js';
import { printable } from '../shown-event.js';
import { userName } from '../user-name.js';
import { wholeNumber, wrongUsage } from '../wrong-usage.js';

export interface RetryFlags {
  readonly projection?: string;
  readonly all?: boolean;
  /** False by `--no-wait`. */
  readonly wait?: boolean;
}

export interface DiscardFlags {
  readonly reason: string;
  readonly yes?: boolean;
  readonly wait?: boolean;
}

/** A rebalance may lie between the question and the owner that answers it. */
const WAIT_MS = 30_000;

/** `dead-letters retry`: exit code 0 when all was taken in, and nothing waits behind it any more. */
export async function retryDeadLetters(context: CommandContext, ids: readonly string[], flags: RetryFlags): Promise<number> {
  const which = whichLetters(ids, flags);
  // Loaded where they can be: a projection that no process runs is helped from here.
  const session = await context.open({ write: true });
  if (flags.projection !== undefined) await checkNames(session, [flags.projection]);
  const outcomes = await session.deadLetters.retry(which, {
    by: userName(),
    waitMs: flags.wait === false ? 0 : WAIT_MS,
    signal: context.signal,
  });
  return answer(context, outcomes);
}

/** `dead-letters discard`: asks, for the table will be without the event. */
export async function discardDeadLetters(
  context: CommandContext,
  ids: readonly string[],
  flags: DiscardFlags,
): Promise<number> {
  const wanted = ids.map((id) => wholeNumber('an id', id));
  const session = await context.open({ write: true });
  for (const id of wanted) await session.deadLetters.show(id);
  const effect = `In ${session.place}, schema ${session.database.schema}, this will leave ${plural(wanted.length, 'event')} out of the projection for good, of later builds too. The log is not touched.`;
  if (!(await context.confirm(effect, flags.yes === true))) {
    context.out.note('Nothing was changed.');
    return 1;
  }
  const outcomes = await session.deadLetters.discard(wanted, {
    by: userName(),
    why: flags.reason,
    waitMs: flags.wait === false ? 0 : WAIT_MS,
    signal: context.signal,
  });
  return answer(context, outcomes);
}

function whichLetters(ids: readonly string[], { projection, all }: RetryFlags): WhichLetters {
  const ways = [ids.length > 0, projection !== undefined, all === true].filter(Boolean).length;
  if (ways !== 1)
    throw wrongUsage(
      ways === 0 ? 'no dead letter is named' : 'ids, --projection and --all contradict each other',
      'Give ids, or --projection <name>, or --all.',
    );
  if (projection !== undefined) return { name: projection };
  return all ? { all: true } : { ids: ids.map((id) => wholeNumber('an id', id)) };
}

function answer({ out }: CommandContext, outcomes: readonly LetterOutcome[]): number {
  out.answer({ outcomes }, () =>
    outcomes.length === 0 ? 'No dead letters.' : outcomes.map((outcome) => outcomeLine(outcome, out)).join('\n'),
  );
  return outcomes.some(({ outcome, next }) => outcome === 'failed' || next !== null) ? 1 : 0;
}

const WORDS: Readonly<Record<LetterOutcome['outcome'], string>> = {
  applied: 'applied',
  discarded: 'discarded',
  failed: 'failed again',
  asked: 'asked for',
};

function outcomeLine({ letter, outcome, remark }: LetterOutcome, out: Output): string {
  const color = outcome === 'failed' ? out.color.red : outcome === 'asked' ? out.color.yellow : out.color.green;
  const why = remark === null ? '' : `: ${printable(remark)}`;
  return `${letter.id}  ${letter.label}  ${placeText(letter)}  ${color(WORDS[outcome])}${why}`;
}
