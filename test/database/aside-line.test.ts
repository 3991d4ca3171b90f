import { expect, it } from 'vitest';
import type { Offset, TopicName } from '../../src/kernel/names.js';
import { asideLine } from '../../src/database/dead-letters/aside-line.js';

it.each(['it broke', 'it broke.', 'why?'])('says what was set aside and why, as sentences (%s)', (message) => {
  const record = {
    topic: 'shelf' as TopicName,
    partition: 2,
    offset: 7 as Offset,
    timestampUs: 0,
    key: 'b1',
    value: null,
    headers: { ce_type: 'book.lost' },
  };
  expect(asideLine('shelf v1', record, 4, { message })).toMatch(
    /^shelf v1 set shelf\/2:7 aside \(book\.lost\), tried 4 times: (it broke\.|why\?) Events of its key wait behind it; see `npx/,
  );
});
