import { describe, expect, it } from 'vitest';
import { partsOf, readingOrder } from '../../../src/modules/projections/rebuild/reading-order.js';
import { position } from '../../../src/testing/log-conformance/log-under-test.js';
import { topicName } from '../../../src/kernel/names.js';

const TOPIC = topicName('orders');
const FROM = position([TOPIC, 0, 10], [TOPIC, 1, 0]);
const TO = position([TOPIC, 0, 1_010], [TOPIC, 1, 1_000], [TOPIC, 2, 1_000_000]);
const ROOM_FOR_ALL = 1_000_000;
const ROOM_FOR_SOME = 100_000;
const OWN = { rowsByKey: true };
const SHARED = { rowsByKey: false };

describe('a rebuild reads', () => {
  it('all partitions at once where each event may have a row in memory', () => {
    expect(readingOrder([OWN], FROM, TO, ROOM_FOR_ALL, true)).toBe('at once');
    expect(partsOf('at once', FROM)).toEqual([FROM]);
  });

  it('on trial where rows may be too many, and one partition after the other where it may not try', () => {
    expect(readingOrder([OWN, OWN], FROM, TO, ROOM_FOR_SOME, true)).toBe('on trial');
    expect(readingOrder([OWN, OWN], FROM, TO, ROOM_FOR_SOME, false)).toBe('one by one');
    expect(partsOf('on trial', FROM)).toEqual([FROM]);
    expect(partsOf('one by one', FROM)).toEqual([position([TOPIC, 0, 10]), position([TOPIC, 1, 0])]);
  });

  it('a single partition as if it might not try: there is nothing to be won', () => {
    expect(readingOrder([OWN], position([TOPIC, 0, 10]), TO, 100_000, true)).toBe('one by one');
  });

  it('all at once, too, for rows that several partitions touch: each would come back with every partition', () => {
    expect(readingOrder([OWN, SHARED], FROM, TO, ROOM_FOR_SOME, true)).toBe('at once');
    expect(readingOrder([OWN, SHARED], FROM, TO, ROOM_FOR_SOME, false)).toBe('at once');
  });
});
