import type { Offset } from '../../kernel/names.js';
import { StoredRecord, type LogRecord } from '../../kernel/record.js';
import type { AppendedOutcome, AppendRequest } from './append-request.js';

export class Appended {
  constructor(
    readonly request: AppendRequest,
    readonly outcome: AppendedOutcome,
  ) {}
}

/** The records as they now stand in the log. */
export function recordsOf({ request, outcome }: Appended): readonly LogRecord[] {
  const { topic, partition, key, events } = request;
  const first = outcome.nextOffset - events.length;
  return events.map(({ value, headers }, index) => {
    const offset = (first + index) as Offset;
    return new StoredRecord(topic, partition, offset, outcome.recordedAtUs, key, value, headers);
  });
}
