import { placeText, type LetterState } from '../../database/dead-letters/dead-letter.js';
import type { DeadLetterDetails, DeadLetterInfo } from '../../modules/operations/dead-letters/dead-letters.js';
import type { CommandContext } from '../command-context.js';
import { count, plural } from '../format.js';
import type { Output } from '../output.js';
import { checkNames } from '../projection-names.js';
import { printable } from '../shown-event.js';
import { wholeNumber } from '../wrong-usage.js';

export interface ListFlags {
  readonly followers?: boolean;
  readonly settled?: boolean;
  readonly after?: string;
  readonly limit?: string;
}

const MESSAGE_WIDTH = 60;

/** `dead-letters list`: one line a letter. */
export async function listDeadLetters(context: CommandContext, name: string | undefined, flags: ListFlags): Promise<number> {
  const states: readonly LetterState[] = [
    'letter',
    ...(flags.followers ? ['follower' as const] : []),
    ...(flags.settled ? ['applied' as const, 'discarded' as const] : []),
  ];
  const page = {
    ...(flags.after === undefined ? {} : { after: wholeNumber('--after', flags.after, 0) }),
    ...(flags.limit === undefined ? {} : { limit: wholeNumber('--limit', flags.limit) }),
  };
  const session = await context.open();
  if (name !== undefined) await checkNames(session, [name]);
  const { letters, next } = await session.deadLetters.list({ ...(name === undefined ? {} : { name }), states, ...page });
  const { out } = context;
  out.answer({ letters, next }, () => letterTable(letters, out));
  if (next !== null) out.note(out.color.dim(`The first ${count(letters.length)}; --after ${next} shows more.`));
  return 0;
}

function letterTable(letters: readonly DeadLetterInfo[], out: Output): string {
  if (letters.length === 0) return 'No dead letters.';
  return out.table(
    ['id', 'build', 'event', 'type', 'key', 'state', 'behind', 'tried', 'since', 'reason'],
    letters.map((letter) => [
      String(letter.id),
      letter.label,
      placeText(letter),
      printable(letter.type ?? '(no type)'),
      letter.key === null ? out.color.dim('none') : printable(letter.key),
      stateText(letter, out),
      count(letter.followers),
      count(letter.attempts),
      minutes(letter.firstAt),
      cut(printable(reasonText(letter))),
    ]),
    [0, 6, 7],
  );
}

/** `dead-letters show`: all that is known of one, and the event itself. */
export async function showDeadLetter(context: CommandContext, id: string): Promise<number> {
  const wanted = wholeNumber('the id', id);
  const session = await context.open();
  const letter = await session.deadLetters.show(wanted);
  context.out.answer(letter, () => detailsText(letter, context.out));
  return 0;
}

function detailsText(letter: DeadLetterDetails, out: Output): string {
  const facts = out.pairs([
    ['letter', String(letter.id)],
    ['build', letter.label],
    ['event', `${placeText(letter)}  ${printable(letter.type ?? '(no type)')}`],
    ['key', letter.key === null ? 'none: it waits alone' : printable(letter.key)],
    ...(letter.tenant === null ? [] : [['tenant', printable(letter.tenant)] as const]),
    ['state', stateText(letter, out)],
    ['behind', count(letter.followers)],
    ['tried', `${plural(letter.attempts, 'time')}, first ${letter.firstAt}, last ${letter.lastAt}`],
    ...(letter.requestedAt === null
      ? []
      : [['asked', `by ${printable(letter.requestedBy ?? 'unknown')} at ${letter.requestedAt}`] as const]),
    ...(letter.requestedWhy === null ? [] : [['why', printable(letter.requestedWhy)] as const]),
    ...(letter.inheritedFrom === null ? [] : [['inherited', `from letter ${letter.inheritedFrom}`] as const]),
    ['reason', letter.reason === null ? 'waits for an earlier event of its key' : printable(reasonText(letter))],
  ]);
  const stack = letter.reason?.stack?.split('\n').slice(1) ?? [];
  return [facts, ...stack.map((line) => out.color.dim(printable(line))), '', recordText(letter, out)].join('\n');
}

function recordText({ record }: DeadLetterDetails, out: Output): string {
  if (record === null) return out.color.yellow('The event is in the log no more: retention has removed it.');
  const payload = record.base64 === null ? JSON.stringify(record.data, null, 2) : `${record.base64} (base64)`;
  return [
    out.pairs([
      ['recorded', record.recordedAt],
      ...Object.entries(record.headers).map(([name, value]) => [printable(name), printable(value)] as const),
    ]),
    '',
    payload.split('\n').map(printable).join('\n'),
  ].join('\n');
}

function stateText({ state, request }: DeadLetterInfo, out: Output): string {
  if (request !== null) return out.color.yellow(request === 'retry' ? 'retrying' : 'discarding');
  return state === 'letter' ? out.color.red(state) : state;
}

/** The message alone says its code where it is one of ours. */
function reasonText({ reason }: DeadLetterInfo): string {
  if (reason === null) return '';
  return reason.message.startsWith(reason.code) ? reason.message : `${reason.code}: ${reason.message}`;
}

function minutes(iso: string): string {
  return iso.slice(0, 16).replace('T', ' ');
}

function cut(text: string): string {
  return text.length > MESSAGE_WIDTH ? `${text.slice(0, MESSAGE_WIDTH - 1)}…` : text;
}
