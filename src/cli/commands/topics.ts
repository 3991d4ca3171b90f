import type { Command } from 'commander';
import { KappaError } from '../../kernel/errors.js';
import { didYouMean } from '../../kernel/did-you-mean.js';
import { topicName, type TopicName } from '../../kernel/names.js';
import type { Retention } from '../../kernel/topic.js';
import type { EventLog, PartitionOffsets, TopicDescription } from '../../log/event-log.js';
import { bytes, count, duration } from '../format.js';
import type { AddCommands } from '../add-commands.js';

/** `topics list|describe`: what the log holds. */
export const addTopicCommands: AddCommands = (program, run) => {
  const group = program.command('topics').alias('topic').description('the topics of the log');

  group
    .command('list')
    .alias('ls')
    .description('all topics')
    .action((_: unknown, command: Command) =>
      run(command, async (context) => {
        const { log } = await context.open();
        const topics = await Promise.all(
          (await log.listTopics()).map(async (topic) => summary(topic, await log.offsets(topic.name))),
        );
        const { out } = context;
        out.answer({ topics }, () =>
          topics.length === 0
            ? 'No topics yet: they are made when an application that declares them starts.'
            : out.table(
                ['topic', 'partitions', 'begin', 'end', 'kept'],
                topics.map((topic) => [
                  topic.name,
                  count(topic.partitions),
                  count(topic.begin),
                  count(topic.end),
                  retentionText(topic.retention),
                ]),
                [1, 2, 3],
              ),
        );
        return 0;
      }),
    );

  group
    .command('describe')
    .alias('show')
    .description('one topic, partition by partition')
    .argument('<name>')
    .action((name: string, _: unknown, command: Command) =>
      run(command, async (context) => {
        const { log, definitions } = await context.open();
        const topic = await existingTopic(log, name);
        const offsets = await log.offsets(topic.name);
        const declared = definitions.topics.find((one) => one.name === topic.name) ?? null;
        const events = declared?.events.map(({ type, version }) => ({ type, version })) ?? null;
        const { out } = context;
        out.answer({ ...summary(topic, offsets), incarnation: topic.incarnation, events, offsets }, () =>
          [
            out.pairs([
              ['topic', topic.name],
              ['kept', retentionText(topic.retention)],
              [
                'events',
                events === null
                  ? 'not declared in what was loaded'
                  : events.map(({ type, version }) => `${type} v${version}`).join(', '),
              ],
            ]),
            '',
            out.table(
              ['partition', 'begin', 'end'],
              offsets.map((line) => [String(line.partition), count(line.begin), count(line.end)]),
              [0, 1, 2],
            ),
          ].join('\n'),
        );
        return 0;
      }),
    );
};

/** @throws KAPPA_UNKNOWN_TOPIC with what was probably meant. */
export async function existingTopic(log: EventLog, name: string): Promise<TopicDescription> {
  const found = await log.describeTopic(topicName(name));
  if (found) return found;
  const names: readonly TopicName[] = (await log.listTopics()).map((topic) => topic.name);
  throw new KappaError('KAPPA_UNKNOWN_TOPIC', `there is no topic ${name}${names.length === 0 ? '' : didYouMean(name, names)}`, {
    facts: { topic: name, topics: names },
    nextStep: '`npx nest-kappa topics list` shows all.',
  });
}

interface TopicSummary {
  readonly name: string;
  readonly partitions: number;
  /** Sums over the partitions: an upper bound on records, for offsets may have holes. */
  readonly begin: number;
  readonly end: number;
  readonly retention: Retention | null;
}

function summary(topic: TopicDescription, offsets: readonly PartitionOffsets[]): TopicSummary {
  const sum = (value: (line: PartitionOffsets) => number): number => offsets.reduce((total, line) => total + value(line), 0);
  return {
    name: topic.name,
    partitions: topic.partitions,
    begin: sum(({ begin }) => begin),
    end: sum(({ end }) => end),
    retention: topic.retention,
  };
}

function retentionText(retention: Retention | null): string {
  const parts = [
    ...(retention?.ms === undefined ? [] : [duration(retention.ms / 1000)]),
    ...(retention?.bytes === undefined ? [] : [`${bytes(retention.bytes)} a partition`]),
  ];
  return parts.length === 0 ? 'for ever' : parts.join(', ');
}
