import { groupBy } from '../group-by.js';
import type { LoggedEvent, Problem } from './evidence.js';

/** Versions of a stream are 1, 2, 3 …, each there once, in the order of offsets, all in one partition. */
export function checkStreams(events: readonly LoggedEvent[]): readonly Problem[] {
  const problems: Problem[] = [];
  for (const [stream, own] of groupBy(inOrder(events), (event) => event.stream)) {
    if (new Set(own.map(({ topic, partition }) => `${topic}/${partition}`)).size > 1)
      problems.push({ kind: 'reordered', what: `${stream} stands in more than one partition` });
    const versions = new Set<number>();
    let highest = 0;
    for (const { version, topic, partition, offset } of own) {
      const where = `${stream} version ${version} at ${topic}/${partition} offset ${offset}`;
      if (versions.has(version)) problems.push({ kind: 'doubled', what: `${where} is there already` });
      else if (version < highest) problems.push({ kind: 'reordered', what: `${where} comes after ${highest}` });
      versions.add(version);
      highest = Math.max(highest, version);
    }
    for (let version = 1; version < highest; version += 1)
      if (!versions.has(version)) problems.push({ kind: 'lost', what: `${stream} has no version ${version} of ${highest}` });
  }
  return problems;
}

/** By place in the log. */
export function inOrder(events: readonly LoggedEvent[]): readonly LoggedEvent[] {
  return [...events].sort((a, b) => a.topic.localeCompare(b.topic) || a.partition - b.partition || a.offset - b.offset);
}
