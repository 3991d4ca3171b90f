import { expect, it } from 'vitest';
import type { TopicName } from '../../src/kernel/names.js';
import { LOG_OFFSET_HEADER, recordBytes, recordBytesAtMost, type NewRecord } from '../../src/kernel/record.js';

const record = (key: string | null, value: Uint8Array | null, headers: Record<string, string>): NewRecord => ({
  topic: 'things' as TopicName,
  partition: 0,
  key,
  value,
  headers,
});

it.each([
  record(null, null, {}),
  record('key', Buffer.from('value'), { ce_id: 'one' }),
  record('ключ', Buffer.from('ß'), { tenant: '東京', face: '😀' }),
  record('\ud800', Buffer.alloc(1_000), { [LOG_OFFSET_HEADER]: '17', broken: '\udc00'.repeat(50) }),
])('a record of %j has no more bytes than what is told without looking at its texts', (each) => {
  expect(recordBytesAtMost(each)).toBeGreaterThanOrEqual(recordBytes(each));
});
