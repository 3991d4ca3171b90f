import { describe, expect, it } from 'vitest';
import type { StreamName } from '../../src/kernel/names.js';
import { StateCache, type LoadedStream } from '../../src/modules/aggregates/state-cache.js';

const name = (number: number): StreamName => `/thing/${number}` as StreamName;
const at = (version: number): LoadedStream => ({ version, state: `state ${version}`, snapshotVersion: 0 });

function heldOf(cache: StateCache, upTo: number): number[] {
  return Array.from({ length: upTo }, (_, number) => number).filter((number) => cache.get(name(number)) !== null);
}

describe('the states that are kept', () => {
  it('are as many as are allowed at most, those that were used last', () => {
    const cache = new StateCache(10);
    for (let number = 0; number < 100; number += 1) {
      cache.set(name(number), at(1));
      expect(cache.get(name(0))).toEqual(at(1));
    }
    expect(heldOf(cache, 100)).toEqual([0, 91, 92, 93, 94, 95, 96, 97, 98, 99]);
  });

  it('never go back to an older one, unless that was dropped first', () => {
    const cache = new StateCache(4);
    cache.set(name(0), at(7));
    for (let number = 1; number < 3; number += 1) cache.set(name(number), at(1));
    cache.set(name(0), at(5));
    expect(cache.get(name(0))).toEqual(at(7));
    cache.drop(name(0));
    expect(cache.get(name(0))).toBeNull();
    cache.set(name(0), at(5));
    expect(cache.get(name(0))).toEqual(at(5));
  });

  it.each([0, 1, 2])('are none too many where %i may be kept', (size) => {
    const cache = new StateCache(size);
    for (let number = 0; number < 5; number += 1) cache.set(name(number), at(1));
    expect(heldOf(cache, 5).length).toBeLessThanOrEqual(size);
  });

  it('leave a trace where they had to make room or were dropped, and only there', () => {
    const cache = new StateCache(10);
    for (let number = 0; number < 100; number += 1) cache.set(name(number), at(1));
    cache.drop(name(95));
    cache.drop(name(150));
    const former = Array.from({ length: 200 }, (_, number) => number).filter((number) => cache.isFormer(name(number)));
    expect(former).toEqual([...Array.from({ length: 90 }, (_, number) => number), 95, 150]);
  });

  it('leave a trace where none may be kept', () => {
    const cache = new StateCache(0);
    cache.set(name(0), at(1));
    expect([cache.isFormer(name(0)), cache.isFormer(name(1))]).toEqual([true, false]);
  });
});
