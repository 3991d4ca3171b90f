import { intArray } from '../../database/binary-arrays.js';
import type { TextValue } from '../../database/text-query.js';
import { KappaError } from '../../kernel/errors.js';
import type { StreamName } from '../../kernel/names.js';
import type { PartitionKey } from '../../kernel/position.js';
import { AppendedOutcome, type AppendOutcome, type AppendRequest } from './append-request.js';
import { groupColumns } from './group-columns.js';

/**
 * The parameters of `append_group`, which appends all commands of a group or judges each for itself. Null where one of them stands
 * in another's way, or claims a value: such a group is judged in any case.
 */
export function valuesTogether(requests: readonly AppendRequest[], lockTimeoutMs: number | null): TextValue[] | null {
  const heads = headsOf(requests);
  if (!heads || haveIdTwice(requests)) return null;
  const lines = new Map<PartitionKey, { readonly number: number; events: number }>();
  const topicIds: number[] = [];
  const partitions: number[] = [];
  const numbers: number[] = [];
  const before: number[] = [];
  for (const { partitionKey, topicId, partition, events } of requests) {
    let line = lines.get(partitionKey);
    if (!line) {
      lines.set(partitionKey, (line = { number: lines.size + 1, events: 0 }));
      topicIds.push(topicId);
      partitions.push(partition);
    }
    numbers.push(line.number);
    before.push(line.events);
    line.events += events.length;
  }
  return [
    intArray(topicIds),
    intArray(partitions),
    intArray(numbers),
    intArray(before),
    intArray(heads),
    ...groupColumns(requests),
    lockTimeoutMs === null ? null : String(lockTimeoutMs),
  ];
}

/** Where each stream must be: only of its first command, the others follow. Null where one does not, or claims a value. */
function headsOf(requests: readonly AppendRequest[]): (number | null)[] | null {
  const ends = new Map<StreamName, number>();
  const heads: (number | null)[] = [];
  for (const { stream, expectedVersion, events, claims } of requests) {
    const end = ends.get(stream);
    if (claims.length > 0 || (end !== undefined && end !== expectedVersion)) return null;
    heads.push(end === undefined ? expectedVersion : null);
    ends.set(stream, expectedVersion + events.length);
  }
  return heads;
}

/** Also of two streams, where it would do no harm: that is rare. */
function haveIdTwice(requests: readonly AppendRequest[]): boolean {
  return new Set(requests.map(({ commandId }) => commandId)).size < requests.length;
}

const TOGETHER = 'all;';

/** What `append_group` answers where all were appended; null for any other answer. */
export function parseTogether(requests: readonly AppendRequest[], answer: string): readonly AppendOutcome[] | null {
  if (!answer.startsWith(TOGETHER)) return null;
  const former = answer.slice(TOGETHER.length).split(';');
  const lines = new Map<PartitionKey, { next: number; readonly recordedAtUs: number }>();
  return requests.map(({ partitionKey, events }) => {
    let line = lines.get(partitionKey);
    if (!line) {
      const [next, recordedAtUs] = (former[lines.size] ?? '').split(',').map(Number);
      if (next === undefined || recordedAtUs === undefined)
        throw new KappaError('KAPPA_INTERNAL', `the append of a group answered ${JSON.stringify(answer.slice(0, 200))}`);
      lines.set(partitionKey, (line = { next, recordedAtUs }));
    }
    line.next += events.length;
    return new AppendedOutcome(line.next, line.recordedAtUs);
  });
}
