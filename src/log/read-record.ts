import { LogTruncatedError } from '../kernel/errors.js';
import { partitionKey } from '../kernel/position.js';
import type { LogRecord } from '../kernel/record.js';
import type { EventLog } from './event-log.js';

/** The record at a place of the log; null when it is there no more. The place must lie before the partition's end. */
export async function readRecord(
  log: Pick<EventLog, 'read'>,
  { topic, partition, offset }: { readonly topic: string; readonly partition: number; readonly offset: number },
): Promise<LogRecord | null> {
  const key = partitionKey(topic, partition);
  try {
    for await (const { records } of log.read({ from: { [key]: offset }, to: { [key]: offset + 1 }, maxBatchRecords: 1 })) {
      const found = records.find((record) => record.offset === offset);
      if (found) return found;
    }
    return null;
  } catch (error) {
    if (error instanceof LogTruncatedError) return null;
    throw error;
  }
}
