import { groupBy } from '../group-by.js';
import type { JournalLine } from '../actors/journal.js';
import type { LoggedEvent, Problem } from './evidence.js';

type Line<T extends JournalLine['t']> = Extract<JournalLine, { t: T }>;

/**
 * What was acknowledged is in its stream as it was acknowledged; what was refused is not there; what was neither, because the
 * answer or the writer was lost, is there once and whole, or not at all.
 */
export function checkCommands(journal: readonly JournalLine[], streams: readonly LoggedEvent[]): readonly Problem[] {
  const made = groupBy(streams, ({ commandId }) => commandId);
  const told = groupBy(journal, ({ id }) => id);
  const problems = [...told].flatMap(([id, lines]) => checkCommand(id, lines, made.get(id) ?? []));
  for (const id of made.keys())
    if (!told.has(id)) problems.push({ kind: 'doubled', what: `${id} took effect, and nobody sent it` });
  return problems;
}

function checkCommand(id: string, lines: readonly JournalLine[], events: readonly LoggedEvent[]): readonly Problem[] {
  const acknowledged = lines.filter((line): line is Line<'acknowledged'> => line.t === 'acknowledged');
  const refused = lines.filter(({ t }) => t === 'refused').length;
  const tried = lines.filter((line): line is Line<'tried'> => line.t === 'tried');
  const problems = acknowledged.flatMap((line) => checkAcknowledged(line, events));
  const expected = tried[0]?.events ?? 0;
  if (events.length > expected)
    problems.push({ kind: 'doubled', what: `${id} made ${events.length} events, ${expected} are its whole effect` });
  if (events.length > 0 && events.length < expected)
    problems.push({ kind: 'lost', what: `${id} made ${events.length} events, ${expected} are its whole effect` });
  if (events.length > 0 && refused === tried.length)
    problems.push({ kind: 'doubled', what: `${id} was refused and took effect all the same` });
  return problems;
}

function checkAcknowledged(line: Line<'acknowledged'>, events: readonly LoggedEvent[]): Problem[] {
  const { id, stream, first, last } = line;
  const problems: Problem[] = [];
  line.eventIds.forEach((eventId, index) => {
    const version = first + index;
    const found = events.filter((event) => event.eventId === eventId);
    const what = `${id}, acknowledged as ${stream} versions ${first} to ${last}: version ${version}`;
    const [event] = found;
    if (!event) {
      problems.push({ kind: 'lost', what: `${what} is not there` });
      return;
    }
    if (event.stream !== stream || event.version !== version)
      problems.push({ kind: 'reordered', what: `${what} is ${event.stream} version ${event.version}` });
    const next = line.position[`${event.topic}/${event.partition}`];
    if (next === undefined || event.offset >= next)
      problems.push({ kind: 'reordered', what: `${what} is at offset ${event.offset}, not before position ${next ?? 'none'}` });
  });
  return problems;
}
