import type { Offset } from '../../kernel/names.js';
import type { LogRecord } from '../../kernel/record.js';
import type { AppendOutcome, AppendRequest } from './append-request.js';

export interface Appended {
  readonly request: AppendRequest;
  readonly outcome: Extract<AppendOutcome, { outcome: 'appended' }>;
}

/** The records as they now stand in the log. */
export function recordsOf({ request, outcome }: Appended): readonly LogRecord[] {
  const { topic, partition, key, events } = request;
  const first = outcome.nextOffset - events.length;
  return events.map(({ value, headers }, index) => {
    const offset = (first + index) as Offset;
    return { topic, partition, offset, timestampUs: outcome.recordedAtUs, key, value, headers };
  });
}
