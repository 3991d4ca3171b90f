import { didYouMean } from '../../kernel/did-you-mean.js';
import { KappaError } from '../../kernel/errors.js';
import type { TopicName } from '../../kernel/names.js';
import { partitionKey } from '../../kernel/position.js';
import type { EventLog } from '../../log/event-log.js';
import type { GroupDescription, LogGroups } from '../../log/log-groups.js';
import type { CommandContext } from '../command-context.js';
import { count } from '../format.js';
import type { Output } from '../output.js';
import { ownGroups, type OwnGroup } from './own-groups.js';

interface ShownPartition {
  readonly topic: string;
  readonly partition: number;
  /** Null where nothing is committed: its first reader decides where it begins. */
  readonly next: number | null;
  readonly end: number;
  readonly behind: number | null;
  readonly member: string | null;
}

interface ShownGroup {
  readonly group: string;
  /** What of ours reads here; null for other consumers. */
  readonly reader: string | null;
  readonly progressIn: 'log' | 'postgres';
  readonly members: readonly { readonly member: string; readonly client: string | null }[];
  readonly topics: readonly string[];
  /** Offsets still to go where something is committed, an upper bound on records. */
  readonly behind: number;
  readonly partitions: readonly ShownPartition[];
}

/** `groups list` */
export async function listGroups(context: CommandContext): Promise<number> {
  const session = await context.open();
  const own = await ownGroups(session);
  const shown: ShownGroup[] = [];
  for (const group of await session.log.groups.list())
    shown.push(await shownGroup(session.log, group, own.get(group.group) ?? null));
  const { out } = context;
  out.answer({ groups: shown.map(({ partitions: _, ...group }) => group) }, () =>
    shown.length === 0 ? 'No consumer groups.' : table(shown, out),
  );
  return 0;
}

function table(groups: readonly ShownGroup[], out: Output): string {
  return out.table(
    ['group', 'reads', 'members', 'behind', 'progress in', 'reader'],
    groups.map((group) => [
      group.group,
      group.topics.join(', '),
      count(group.members.length),
      count(group.behind),
      group.progressIn === 'log' ? 'the log' : 'PostgreSQL',
      group.reader ?? '',
    ]),
    [2, 3],
  );
}

/** `groups show` */
export async function showGroup(context: CommandContext, name: string): Promise<number> {
  const session = await context.open();
  const own = (await ownGroups(session)).get(name) ?? null;
  const found = await session.log.groups.describe(name);
  if (!found && !own) throw await unknownGroup(session.log.groups, name);
  const group = await shownGroup(session.log, found ?? { group: name, members: [], topics: [], committed: {} }, own);
  const { out } = context;
  out.answer(group, () =>
    [
      out.pairs([
        ['group', group.reader === null ? group.group : `${group.group} (${group.reader})`],
        ['members', group.members.length === 0 ? 'none' : group.members.map(memberText).join(', ')],
        ['progress', group.progressIn === 'log' ? 'in the log' : 'in PostgreSQL, with what is made of the events'],
      ]),
      '',
      out.table(
        ['topic', 'partition', 'next', 'end', 'behind', 'member'],
        group.partitions.map((line) => [
          line.topic,
          String(line.partition),
          line.next === null ? '' : count(line.next),
          count(line.end),
          line.behind === null ? '' : count(line.behind),
          line.member ?? '',
        ]),
        [1, 2, 3, 4],
      ),
    ].join('\n'),
  );
  return 0;
}

function memberText({ member, client }: ShownGroup['members'][number]): string {
  return client === null ? member : `${member} (${client})`;
}

/** @returns the error that names what was probably meant */
export async function unknownGroup(groups: LogGroups, name: string): Promise<KappaError> {
  const names = (await groups.list()).map(({ group }) => group);
  return new KappaError(
    'KAPPA_UNKNOWN_GROUP',
    `there is no group ${name}${names.length === 0 ? '' : didYouMean(name, names)}`,
    {
      facts: { group: name, groups: names },
      nextStep: 'A group exists once a consumer has joined it or committed; `npx nest-kappa groups list` shows all.',
    },
  );
}

async function shownGroup(
  log: EventLog,
  { group, members, topics, committed }: GroupDescription,
  own: OwnGroup | null,
): Promise<ShownGroup> {
  const position = own ? own.position : committed;
  const read = [...new Set([...topics, ...Object.keys(position).map(topicOf)])].sort();
  const partitions: ShownPartition[] = [];
  for (const topic of read) {
    for (const { partition, end } of await log.offsets(topic)) {
      const key = partitionKey(topic, partition);
      const next = position[key] ?? null;
      const owner = members.find((member) => member.partitions.includes(key));
      const behind = next === null ? null : Math.max(0, end - next);
      partitions.push({ topic, partition, next, end, behind, member: owner?.member ?? null });
    }
  }
  return {
    group,
    reader: own?.label ?? null,
    progressIn: own ? 'postgres' : 'log',
    members: members.map(({ member, client }) => ({ member, client })),
    topics: read,
    behind: partitions.reduce((sum, { behind }) => sum + (behind ?? 0), 0),
    partitions,
  };
}

function topicOf(key: string): TopicName {
  return key.slice(0, key.lastIndexOf('/')) as TopicName;
}
