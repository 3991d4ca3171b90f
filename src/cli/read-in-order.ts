import type { PartitionKey, Position } from '../kernel/position.js';
import type { LogRecord } from '../kernel/record.js';
import type { EventLog } from '../log/event-log.js';

/** Small pages: what is read is looked at, not folded. */
const PAGE = 500;

interface Head {
  readonly records: AsyncIterator<LogRecord>;
  readonly record: LogRecord;
}

/**
 * The records between two positions in the order in which they were appended, across partitions. The order within a partition
 * is the log's; between partitions it is that of the clocks of append.
 */
export async function* readInOrder(
  log: EventLog,
  from: Position,
  to: Position,
  signal: AbortSignal,
): AsyncGenerator<LogRecord> {
  const sources = (Object.keys(from) as PartitionKey[]).map((key) =>
    recordsOf(log, { [key]: from[key] ?? 0 }, { [key]: to[key] ?? 0 }, signal),
  );
  try {
    const heads = (await Promise.all(sources.map((records) => advance(records)))).filter((head) => head !== null);
    while (heads.length > 0 && !signal.aborted) {
      let first = 0;
      for (let at = 1; at < heads.length; at += 1) if (isBefore(heads[at]?.record, heads[first]?.record)) first = at;
      const head = heads[first];
      if (!head) return;
      yield head.record;
      const next = await advance(head.records);
      if (next) heads[first] = next;
      else heads.splice(first, 1);
    }
  } finally {
    await Promise.all(sources.map((records) => records.return(undefined)));
  }
}

async function* recordsOf(
  log: EventLog,
  from: Position,
  to: Position,
  signal: AbortSignal,
): AsyncGenerator<LogRecord, undefined> {
  for await (const batch of log.read({ from, to, maxBatchRecords: PAGE, signal })) yield* batch.records;
  return undefined;
}

async function advance(records: AsyncIterator<LogRecord>): Promise<Head | null> {
  const result = await records.next();
  return result.done ? null : { records, record: result.value };
}

function isBefore(a: LogRecord | undefined, b: LogRecord | undefined): boolean {
  if (!a || !b) return false;
  return a.timestampUs !== b.timestampUs ? a.timestampUs < b.timestampUs : a.partition < b.partition;
}
