import { offset } from '../kernel/names.js';
import { parsePosition, partitionKey, type PartitionKey, type Position } from '../kernel/position.js';
import type { EventLog, TopicDescription } from '../log/event-log.js';
import { wrongUsage } from './wrong-usage.js';

const TIME = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?$/;

/**
 * Where `--from` says to begin: `begin`, `end`, an offset for every partition, a time (ISO 8601; without a zone it is UTC) or a
 * position as commands return it, which then names the only partitions that are read. Never before what is still there.
 * @throws KAPPA_USAGE
 */
export async function readFrom(log: EventLog, topic: TopicDescription, text: string): Promise<Position> {
  const ends = await log.offsets(topic.name);
  const all = (next: (line: (typeof ends)[number]) => number): Position =>
    Object.fromEntries(ends.map((line) => [partitionKey(topic.name, line.partition), next(line)]));
  if (text === 'begin') return all(({ begin }) => begin);
  if (text === 'end') return all(({ end }) => end);
  if (/^\d+$/.test(text)) return all(({ begin, end }) => Math.min(Math.max(begin, offset(Number(text))), end));
  if (TIME.test(text)) {
    const time = readTime('--from', text);
    const offsets = await log.offsetsAt(topic.name, time);
    return all(({ partition, end }) => offsets[partition] ?? end);
  }
  if (!text.includes('/'))
    throw wrongUsage(
      `--from is ${JSON.stringify(text)}`,
      'Give an offset, a time, a position (topic/partition:offset,…), begin or end.',
    );
  return clamped(
    parsePosition(text),
    all(({ begin }) => begin),
    topic,
  );
}

/** Milliseconds of an ISO 8601 time; without a zone it is UTC. @throws KAPPA_USAGE */
export function readTime(option: string, text: string): number {
  const time = TIME.test(text) ? Date.parse(/T.*(Z|[+-]\d{2}:?\d{2})$|^[^T]*$/.test(text) ? text : `${text}Z`) : NaN;
  if (!Number.isNaN(time)) return time;
  throw wrongUsage(`${option} is ${JSON.stringify(text)}, which is no time`, 'Give it like 2026-01-31T12:00:00Z.');
}

function clamped(position: Position, begins: Position, topic: TopicDescription): Position {
  const from: Record<PartitionKey, number> = {};
  for (const [key, next] of Object.entries(position) as [PartitionKey, number][]) {
    const begin = begins[key];
    if (begin === undefined)
      throw wrongUsage(
        `--from names ${key}, which is no partition of ${topic.name}`,
        `It has ${topic.partitions}, counted from 0.`,
      );
    from[key] = Math.max(begin, next);
  }
  return from;
}
