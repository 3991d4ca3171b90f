import type { AcceptedMove } from '../../modules/policies/accept-log.js';
import type { CommandContext } from '../command-context.js';
import { count } from '../format.js';
import { wrongUsage } from '../wrong-usage.js';

export interface AcceptFlags {
  readonly from?: string;
  readonly yes?: boolean;
}

interface Accepted {
  readonly policy: string;
  readonly partitions: readonly AcceptedMove[];
}

/** `policies accept`: asks, for what lies between is left out, or handled again. */
export async function acceptLog(context: CommandContext, names: readonly string[], flags: AcceptFlags): Promise<number> {
  const at = endOf(flags.from ?? 'end');
  const { policies, place } = await context.open({ write: true });
  const { out } = context;
  const planned: Accepted[] = [];
  for (const policy of names) planned.push({ policy, partitions: await policies.accept(policy, { at, dryRun: true }) });
  const changed = planned.filter(({ partitions }) => partitions.length > 0);
  if (changed.length > 0) {
    const effect = `${place}: ${changed.map(({ policy, partitions }) => `${policy} will go on at ${ways(partitions)}`).join('; ')}. ${CONSEQUENCE[at]}`;
    if (!(await context.confirm(effect, flags.yes === true))) {
      out.note('Nothing was changed.');
      return 1;
    }
  }
  const accepted: Accepted[] = [];
  for (const policy of names) accepted.push({ policy, partitions: await policies.accept(policy, { at }) });
  out.answer({ accepted }, () => accepted.map(({ policy, partitions }) => verdict(policy, partitions)).join('\n'));
  return 0;
}

const CONSEQUENCE = {
  begin: 'It handles again what stands there; commands that took effect do so once.',
  end: 'It handles nothing of what stands there before that.',
};

function endOf(from: string): 'begin' | 'end' {
  if (from === 'begin' || from === 'end') return from;
  throw wrongUsage(`--from is ${from}`, 'Give begin or end.');
}

function verdict(policy: string, partitions: readonly AcceptedMove[]): string {
  if (partitions.length === 0) return `${policy}: its progress fits the log; nothing was moved.`;
  return `${policy} goes on at ${ways(partitions)}.`;
}

/** `fines/3 17 (was 20)` */
function ways(partitions: readonly AcceptedMove[]): string {
  return partitions
    .map(
      ({ topic, partition, from, to }) => `${topic}/${partition} ${count(to)} (was ${from === null ? 'unknown' : count(from)})`,
    )
    .join(', ');
}
