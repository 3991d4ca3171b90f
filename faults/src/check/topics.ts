import { groupBy } from '../group-by.js';
import type { LoggedEvent, Problem } from './evidence.js';
import { inOrder } from './streams.js';

/** Every event of a stream is in its topic once, at its log offset, in the order of the stream; and nothing else is there. */
export function checkTopics(streams: readonly LoggedEvent[], topics: readonly LoggedEvent[]): readonly Problem[] {
  const problems: Problem[] = [];
  const appended = new Map(streams.map((event) => [event.eventId, event]));
  const copies = groupBy(topics, ({ eventId }) => eventId);
  for (const [eventId, event] of appended)
    if (!copies.has(eventId)) problems.push({ kind: 'lost', what: `${nameOf(event)} is not in its topic` });
  for (const [eventId, found] of copies) {
    const original = appended.get(eventId);
    const [copy] = found;
    if (!copy) continue;
    if (found.length > 1) problems.push({ kind: 'doubled', what: `${nameOf(copy)} is in its topic ${found.length} times` });
    if (!original) problems.push({ kind: 'doubled', what: `${nameOf(copy)} is in its topic and in no stream` });
    else if (!isSamePlace(original, copy))
      problems.push({ kind: 'reordered', what: `${nameOf(original)} is in its topic as ${nameOf(copy)}` });
  }
  return [...problems, ...checkOrder(topics)];
}

/** As the topic was read: offsets rise, and so do the versions of each stream. */
function checkOrder(topics: readonly LoggedEvent[]): readonly Problem[] {
  const problems: Problem[] = [];
  for (const read of groupBy(topics, ({ topic, partition }) => `${topic}/${partition}`).values()) {
    const sorted = inOrder(read);
    const misplaced = read.find((event, index) => event.offset !== sorted[index]?.offset);
    if (misplaced) problems.push({ kind: 'reordered', what: `${nameOf(misplaced)} was read out of order` });
    const versions = new Map<string, number>();
    for (const event of read) {
      if (event.version < (versions.get(event.stream) ?? 0))
        problems.push({ kind: 'reordered', what: `${nameOf(event)} comes after a later version of its stream` });
      versions.set(event.stream, event.version);
    }
  }
  return problems;
}

function isSamePlace(a: LoggedEvent, b: LoggedEvent): boolean {
  return (
    a.topic === b.topic &&
    a.partition === b.partition &&
    a.offset === b.offset &&
    a.stream === b.stream &&
    a.version === b.version
  );
}

function nameOf({ stream, version, topic, partition, offset }: LoggedEvent): string {
  return `${stream} version ${version} (${topic}/${partition} offset ${offset})`;
}
