import { describe, expect, it } from 'vitest';
import { MemoryCluster, MemoryLog, topicName } from '../../src/testing/index.js';
import type { EventLog, LogBatch, NewRecord, ReadOptions } from '../../src/testing/index.js';

const numbers = topicName('numbers');

async function readAll(log: EventLog, options: ReadOptions): Promise<readonly LogBatch[]> {
  const batches: LogBatch[] = [];
  for await (const batch of log.read(options)) batches.push(batch);
  return batches;
}

describe('the log contract of nest-kappa/testing', () => {
  it('types a driver, and the log in memory is one', async () => {
    const log: EventLog = new MemoryLog({ cluster: new MemoryCluster() });
    await log.start();
    await log.createTopic({ name: numbers, partitions: 1, retention: null });
    const one: NewRecord = { topic: numbers, partition: 0, key: 'one', value: Buffer.from('1'), headers: {} };
    const to = await log.append([one]);
    const batches = await readAll(log, { from: { 'numbers/0': 0 }, to });
    expect(batches.flatMap(({ records }) => records.map(({ key, offset }) => [key, offset]))).toEqual([['one', 0]]);
    await log.stop();
  });
});
