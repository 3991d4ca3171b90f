import { describe, expect, it } from 'vitest';
import { readingOrder } from '../../../src/modules/projections/rebuild/reading-order.js';
import { position } from '../../../src/testing/log-conformance/log-under-test.js';
import { topicName } from '../../../src/kernel/names.js';

const TOPIC = topicName('orders');
const FROM = position([TOPIC, 0, 10], [TOPIC, 1, 0]);
const TO = position([TOPIC, 0, 1_010], [TOPIC, 1, 1_000], [TOPIC, 2, 1_000_000]);
const ROOM_FOR_ALL = 1_000_000;
const ROOM_FOR_SOME = 100_000;

describe('a rebuild reads', () => {
  it('all partitions together where each event may have a row in memory', () => {
    expect(readingOrder([{ rowsByKey: true }], FROM, TO, ROOM_FOR_ALL)).toEqual([FROM]);
  });

  it('one partition after the other where they may be too many', () => {
    expect(readingOrder([{ rowsByKey: true }, { rowsByKey: true }], FROM, TO, ROOM_FOR_SOME)).toEqual([
      position([TOPIC, 0, 10]),
      position([TOPIC, 1, 0]),
    ]);
  });

  it('all together, too, for rows that several partitions touch: each would come back with every partition', () => {
    expect(readingOrder([{ rowsByKey: true }, { rowsByKey: false }], FROM, TO, ROOM_FOR_SOME)).toEqual([FROM]);
  });
});
