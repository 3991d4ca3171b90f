import type { Command } from 'commander';
import { partitionKey, type Position } from '../../kernel/position.js';
import { partitionOf } from '../../kernel/partitioner.js';
import type { LogRecord } from '../../kernel/record.js';
import type { EventLog, TopicDescription } from '../../log/event-log.js';
import { HEADER } from '../../kernel/envelope.js';
import { count } from '../format.js';
import type { CommandContext } from '../command-context.js';
import type { AddCommands } from '../add-commands.js';
import { readFrom } from '../read-from.js';
import { readInOrder } from '../read-in-order.js';
import { eventLine, shownEvent, type ShownEvent } from '../shown-event.js';
import { wholeNumber } from '../wrong-usage.js';
import { existingTopic } from './topics.js';

interface EventOptions {
  readonly from?: string;
  readonly limit?: string;
  readonly key?: string;
  readonly type?: string;
}

const DEFAULT_LIMIT = 100;

/** `events read|tail`: what stands in a topic, as it was written. */
export const addEventCommands: AddCommands = (program, run) => {
  const group = program.command('events').alias('event').description('the events of a topic, as they were written');

  filters(
    group.command('read').description('events in the order in which they were appended'),
    'begin',
    String(DEFAULT_LIMIT),
  ).action((topic: string, options: EventOptions, command: Command) =>
    run(command, (context) => readEvents(context, topic, options)),
  );

  filters(group.command('tail').description('events as they come, until Ctrl-C'), 'end', 'none').action(
    (topic: string, options: EventOptions, command: Command) => run(command, (context) => tailEvents(context, topic, options)),
  );
};

function filters(command: Command, from: string, limit: string): Command {
  return command
    .argument('<topic>')
    .option('--from <where>', `offset, ISO time, position (topic/partition:offset,…), begin or end (default: ${from})`)
    .option('--limit <n>', `events at most (default: ${limit})`)
    .option('--key <key>', 'only events of this key')
    .option('--type <type>', 'only events of this type');
}

async function readEvents(context: CommandContext, name: string, options: EventOptions): Promise<number> {
  const limit = options.limit === undefined ? DEFAULT_LIMIT : wholeNumber('--limit', options.limit);
  const { log } = await context.open();
  const { out } = context;
  const topic = await existingTopic(log, name);
  const from = await start(log, topic, options, 'begin');
  const ends = await log.offsets(topic.name);
  const to: Position = Object.fromEntries(ends.map(({ partition, end }) => [partitionKey(topic.name, partition), end]));
  const events: ShownEvent[] = [];
  let more = false;
  for await (const record of readInOrder(log, from, to, AbortSignal.any([context.signal, out.gone]))) {
    if (!wanted(record, options)) continue;
    more = events.length === limit;
    if (more) break;
    events.push(shownEvent(record));
  }
  out.answer({ topic: topic.name, events, more }, () =>
    events.length === 0 ? `No such events in ${topic.name}.` : events.map((event) => eventLine(event, out)).join('\n'),
  );
  if (more) out.note(out.color.dim(`The first ${count(limit)}; --limit <n> shows more.`));
  return 0;
}

async function tailEvents(context: CommandContext, name: string, options: EventOptions): Promise<number> {
  const { out } = context;
  out.streaming();
  const limit = options.limit === undefined ? Number.POSITIVE_INFINITY : wholeNumber('--limit', options.limit);
  const { log } = await context.open();
  const topic = await existingTopic(log, name);
  const from = await start(log, topic, options, 'end');
  const signal = AbortSignal.any([context.signal, out.gone]);
  if (out.interactive) out.note(out.color.dim(`Waiting for events of ${topic.name}; Ctrl-C ends.`));
  let shown = 0;
  for await (const { records } of log.read({ from, signal })) {
    for (const record of records) {
      if (shown >= limit || signal.aborted || !wanted(record, options)) continue;
      const event = shownEvent(record);
      await out.line(event, () => eventLine(event, out));
      shown += 1;
    }
    if (shown >= limit || signal.aborted) break;
  }
  out.last({ events: shown });
  return 0;
}

/** The same key means the same partition, so no other needs to be read. */
async function start(log: EventLog, topic: TopicDescription, options: EventOptions, otherwise: string): Promise<Position> {
  const from = await readFrom(log, topic, options.from ?? otherwise);
  if (options.key === undefined) return from;
  const only = partitionKey(topic.name, partitionOf(options.key, topic.partitions));
  return only in from ? { [only]: from[only] ?? 0 } : {};
}

function wanted(record: LogRecord, { key, type }: EventOptions): boolean {
  return (key === undefined || record.key === key) && (type === undefined || record.headers[HEADER.type] === type);
}
