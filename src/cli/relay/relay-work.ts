import type { RelayLag } from '../../modules/aggregates/relay/relay-status.js';
import type { RelayVerification } from '../../modules/aggregates/relay/relay-verify.js';
import type { CommandContext } from '../command-context.js';
import { count, duration, plural } from '../format.js';
import type { Output } from '../output.js';
import type { Session } from '../session.js';
import { wholeNumber } from '../wrong-usage.js';

const NOTHING = 'PostgreSQL carries the log: what is appended stands in it at once, and nothing is relayed.';

/** `relay status`: exit code 1 where something waits that no process relays. */
export async function showStatus(context: CommandContext): Promise<number> {
  const { relays } = await context.open();
  const { out } = context;
  const partitions = await relays.status();
  const behind = partitions.reduce((sum, lag) => sum + lag.behind, 0);
  out.answer({ relays: relays.relays, behind, partitions }, () =>
    relays.relays ? statusText(partitions, behind, out) : NOTHING,
  );
  return partitions.some((lag) => lag.behind > 0 && !lag.owned) ? 1 : 0;
}

function statusText(partitions: readonly RelayLag[], behind: number, out: Output): string {
  if (partitions.length === 0) return 'No aggregate has been started yet: nothing is to be relayed.';
  const now = Date.now();
  return [
    out.table(
      ['topic', 'partition', 'appended', 'relayed', 'behind', 'waiting', 'relayed by'],
      partitions.map((lag) => [
        lag.topic,
        String(lag.partition),
        count(lag.appended),
        count(lag.relayed),
        count(lag.behind),
        lag.waitingSince === null ? '' : duration((now - new Date(lag.waitingSince).getTime()) / 1_000),
        lag.owned ? 'a running process' : out.color.yellow('nobody'),
      ]),
      [1, 2, 3, 4, 5],
    ),
    '',
    behind === 0 ? 'All that was appended is relayed.' : `${plural(behind, 'event')} to relay.`,
  ].join('\n');
}

/** `relay verify`: exit code 1 on any difference. */
export async function verifyTopics(
  context: CommandContext,
  topics: readonly string[],
  flags: { readonly samples?: string },
): Promise<number> {
  const samples = flags.samples === undefined ? 10 : wholeNumber('--samples', flags.samples);
  const session = await context.open();
  const results = await compareTopics(context, session, topics, samples);
  const { out } = context;
  const differences = results.reduce((sum, result) => sum + result.differences, 0);
  out.last({ differences, topics: results });
  if (!out.json) out.answer(null, () => results.map((result) => verdict(result, out)).join('\n'));
  return differences === 0 ? 0 : 1;
}

/** The last word on each topic; progress is shown meanwhile. */
export async function compareTopics(
  { out, signal }: CommandContext,
  { relays }: Session,
  topics: readonly string[],
  samples: number,
): Promise<readonly RelayVerification[]> {
  out.streaming();
  const results: RelayVerification[] = [];
  for await (const step of relays.verify(topics, { samples, signal })) {
    if (step.done) results.push(step);
    if (out.json) await out.line(step, () => '');
    else if (out.interactive && !step.done)
      out.stderr.write(`\r${step.topic}: ${count(step.compared)} of ${count(step.total)} compared`);
    else if (out.interactive) out.stderr.write('\r\u001B[K');
  }
  return results;
}

/** What the comparison of a topic has shown, in words. */
export function verdict({ topic, compared, behind, differences, samples }: RelayVerification, out: Output): string {
  const waiting = behind === 0 ? '' : `, ${plural(behind, 'event')} not relayed yet`;
  if (differences === 0)
    return `${out.color.green(topic)}: ${plural(compared, 'row')} and as many records are equal${waiting}.`;
  return [
    `${out.color.red(topic)}: ${plural(differences, 'difference')} in ${plural(compared, 'row')}${waiting}.`,
    ...samples.map(({ partition, offset, what }) => `  ${topic}/${partition} offset ${offset}: ${what}`),
    ...(differences > samples.length ? [`  … and ${count(differences - samples.length)} more`] : []),
  ].join('\n');
}

/** `relay restart`: asks, for what was projected from the lost copy must be built anew. */
export async function restartTopic(context: CommandContext, topic: string, yes: boolean): Promise<number> {
  const { relays, place } = await context.open();
  const effect = `${place}: ${topic} will be relayed anew from its first row. What was projected from its lost copy must be rebuilt.`;
  if (!(await context.confirm(effect, yes))) return 1;
  await relays.restart(topic);
  context.out.answer({ restarted: topic }, () => `${topic} is relayed anew by the running application.`);
  return 0;
}
