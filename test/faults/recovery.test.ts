import { describe, expect, it } from 'vitest';
import type { JournalLine } from '../../faults/src/actors/journal.js';
import { recoveries, summed } from '../../faults/src/check/recovery.js';
import { note } from './whole-run.js';

function acknowledged(triedAt: number, position: Readonly<Record<string, number>>): JournalLine {
  const id = `command-${triedAt}`;
  return { t: 'acknowledged', id, stream: '/order/1', first: 1, last: 1, eventIds: [], position, triedAt, at: triedAt + 10 };
}

describe('the time to recover', () => {
  const journal = [
    acknowledged(900, { 'orders/0': 4 }),
    acknowledged(1_100, { 'orders/0': 5 }),
    acknowledged(1_200, { 'orders/1': 3 }),
    acknowledged(1_300, { 'orders/0': 6 }),
  ];

  it('lasts until appends made after the strike are visible on every partition that got one', () => {
    const progress = [
      note(1_050, { 'orders/0': 4, 'orders/1': 2 }),
      note(1_400, { 'orders/0': 5, 'orders/1': 2 }),
      note(1_900, { 'orders/0': 6, 'orders/1': 3 }),
    ];
    expect(recoveries([1_000, 1_250], journal, progress)).toEqual({ times: [900, 650], unseen: [] });
  });

  it('asks the build that readers are shown', () => {
    const shown = note(1_900, { 'orders/0': 6, 'orders/1': 3 });
    const aside = { ...note(1_150, { 'orders/0': 6, 'orders/1': 3 }), build: 2, live: false };
    expect(recoveries([1_000], journal, [aside, shown])).toEqual({ times: [900], unseen: [] });
  });

  it('is none where nothing was appended after the strike', () => {
    const progress = [note(1_900, { 'orders/0': 6, 'orders/1': 3 })];
    expect(recoveries([1_250, 5_000], journal, progress)).toEqual({ times: [650], unseen: [] });
  });

  it('is none in a partition that nobody reads', () => {
    expect(recoveries([1_000], journal, [note(1_900, { 'orders/0': 6 })])).toEqual({ times: [900], unseen: [] });
  });

  it('never comes where what was appended is never visible, which is told', () => {
    const progress = [note(1_050, { 'orders/0': 4, 'orders/1': 2 }), note(1_900, { 'orders/0': 6, 'orders/1': 2 })];
    expect(recoveries([1_000, 1_250], journal, progress)).toEqual({ times: [900, 650], unseen: ['orders/1 in sales'] });
  });

  it('is summed as median, 99th percentile and worst', () => {
    expect(summed(Array.from({ length: 200 }, (_, index) => index + 1))).toEqual({
      p50: 100,
      p99: 198,
      max: 200,
      strikes: 200,
    });
    expect(summed([])).toEqual({ p50: null, p99: null, max: null, strikes: 0 });
  });
});
