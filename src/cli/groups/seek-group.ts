import { KappaError } from '../../kernel/errors.js';
import { partitionKey, type PartitionKey, type Position } from '../../kernel/position.js';
import type { EventLog, TopicDescription } from '../../log/event-log.js';
import { groupActive } from '../../log/log-groups.js';
import type { CommandContext } from '../command-context.js';
import { existingTopic } from '../commands/topics.js';
import { count } from '../format.js';
import { readTime } from '../read-from.js';
import { wholeNumber, wrongUsage } from '../wrong-usage.js';
import { unknownGroup } from './look-at-groups.js';
import { ownGroups, type OwnGroup } from './own-groups.js';

export interface SeekOptions {
  readonly toOffset?: string;
  readonly toTime?: string;
  readonly toBegin?: boolean;
  readonly toEnd?: boolean;
  readonly partition?: string;
  readonly yes?: boolean;
}

interface Move {
  readonly partition: number;
  /** Null where nothing was committed. */
  readonly from: number | null;
  readonly to: number;
}

/** `groups seek`: asks, for what was done once is done again, or left out. */
export async function seekGroup(context: CommandContext, group: string, name: string, options: SeekOptions): Promise<number> {
  const target = targetOf(options);
  const session = await context.open();
  const own = (await ownGroups(session)).get(group);
  if (own) throw keptInPostgres(group, own);
  const { log, place } = session;
  const topic = await existingTopic(log, name);
  const described = await log.groups.describe(group);
  if (!described) throw await unknownGroup(log.groups, group);
  if (described.members.length > 0) throw groupActive(group, described.members.length);
  const moves = await movesOf(log, topic, target, options.partition, described.committed);
  const ways = moves.map(
    ({ partition, from, to }) => `${partition}: ${from === null ? 'no offset' : count(from)} → ${count(to)}`,
  );
  const effect = `${place}: group ${group} will go on elsewhere in ${topic.name} (${ways.join(', ')}). It reads again, or leaves out, what lies between.`;
  const { out } = context;
  if (!(await context.confirm(effect, options.yes === true))) {
    out.note('Nothing was changed.');
    return 1;
  }
  await log.groups.seek(group, Object.fromEntries(moves.map(({ partition, to }) => [partitionKey(topic.name, partition), to])));
  out.answer({ group, topic: topic.name, partitions: moves }, () =>
    out.table(
      ['partition', 'was', 'is'],
      moves.map(({ partition, from, to }) => [String(partition), from === null ? '' : count(from), count(to)]),
      [0, 1, 2],
    ),
  );
  return 0;
}

type Target = 'begin' | 'end' | { readonly offset: number } | { readonly time: number };

function targetOf({ toOffset, toTime, toBegin, toEnd }: SeekOptions): Target {
  const given = [toOffset, toTime, toBegin, toEnd].filter((one) => one !== undefined);
  if (given.length !== 1)
    throw wrongUsage(
      given.length === 0 ? 'where to is missing' : 'where to is said more than once',
      'Give one of --to-offset, --to-time, --to-begin and --to-end.',
    );
  if (toOffset !== undefined) return { offset: wholeNumber('--to-offset', toOffset, 0) };
  if (toTime !== undefined) return { time: readTime('--to-time', toTime) };
  return toBegin ? 'begin' : 'end';
}

/** Offsets are never before what is still there, nor beyond the end. */
async function movesOf(
  log: EventLog,
  topic: TopicDescription,
  target: Target,
  only: string | undefined,
  committed: Position,
): Promise<readonly Move[]> {
  const chosen = only === undefined ? null : wholeNumber('--partition', only, 0);
  if (chosen !== null && chosen >= topic.partitions)
    throw wrongUsage(`--partition is ${chosen}`, `${topic.name} has ${topic.partitions}, counted from 0.`);
  const ends = await log.offsets(topic.name);
  const atTime = typeof target === 'object' && 'time' in target ? await log.offsetsAt(topic.name, target.time) : null;
  return ends
    .filter(({ partition }) => chosen === null || partition === chosen)
    .map(({ partition, begin, end }) => {
      const key: PartitionKey = partitionKey(topic.name, partition);
      const wanted =
        target === 'begin' ? begin : target === 'end' ? end : 'offset' in target ? target.offset : (atTime?.[partition] ?? end);
      return { partition, from: committed[key] ?? null, to: Math.min(Math.max(begin, wanted), end) };
    });
}

function keptInPostgres(group: string, { label, instead }: OwnGroup): KappaError {
  return new KappaError('KAPPA_GROUP_NOT_IN_LOG', `group ${group} is ${label}, whose progress stands in PostgreSQL`, {
    facts: { group, reader: label },
    nextStep: instead,
  });
}
