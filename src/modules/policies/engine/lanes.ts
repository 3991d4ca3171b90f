import type { LogRecord } from '../../../kernel/record.js';

/** Records by key, each lane in order; a record without key is alone in its lane. */
export function lanesOf(records: readonly LogRecord[]): readonly (readonly LogRecord[])[] {
  const lanes = new Map<string, LogRecord[]>();
  for (const record of records) {
    const { topic, partition, key, offset } = record;
    const name = `${topic}/${partition}/${key === null ? offset : `=${key}`}`;
    const lane = lanes.get(name);
    if (lane) lane.push(record);
    else lanes.set(name, [record]);
  }
  return [...lanes.values()];
}

/**
 * Handles the records of each lane one after another, those of different lanes at a time, at most `concurrency`. What has begun
 * ends; nothing more begins once `over` says so. `handle` does not throw: it says whether its lane may go on.
 */
export async function inLanes(
  lanes: readonly (readonly LogRecord[])[],
  concurrency: number,
  over: () => boolean,
  handle: (record: LogRecord) => Promise<boolean>,
): Promise<void> {
  const waiting = lanes.values();
  const worker = async (): Promise<void> => {
    for (const lane of waiting) {
      for (const record of lane) {
        if (over()) return;
        if (!(await handle(record))) break;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, lanes.length) }, worker));
}
