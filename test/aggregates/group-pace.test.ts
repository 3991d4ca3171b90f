import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { PartitionKey } from '../../src/kernel/position.js';
import { AppendFate } from '../../src/modules/aggregates/append-fate.js';
import { AppendQueue, PendingAppend } from '../../src/modules/aggregates/append-queue.js';
import { GroupPace } from '../../src/modules/aggregates/group-pace.js';
import type { AppendRequest } from '../../src/modules/aggregates/append-request.js';

describe('the pace of groups', () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  it('begins one at once, and a second beside it only where enough commands wait', () => {
    const pace = new GroupPace(3, vi.fn());
    expect(pace.mayBegin(1)).toBe(true);
    pace.begin();
    expect(pace.mayBegin(15)).toBe(false);
    expect(pace.mayBegin(16)).toBe(true);
  });

  it('begins a second for any command where the first takes long, and says so', () => {
    const changed = vi.fn();
    const pace = new GroupPace(3, changed);
    pace.begin();
    vi.advanceTimersByTime(2);
    expect(changed).toHaveBeenCalledTimes(1);
    expect(pace.mayBegin(1)).toBe(true);
  });

  it('begins a third only beside one that takes long, and never a fourth', () => {
    const changed = vi.fn();
    const pace = new GroupPace(3, changed);
    pace.begin();
    pace.begin();
    vi.advanceTimersByTime(9);
    expect(pace.mayBegin(500)).toBe(false);
    changed.mockClear();
    vi.advanceTimersByTime(1);
    expect(changed).toHaveBeenCalledTimes(2);
    expect(pace.mayBegin(1)).toBe(true);
    pace.begin();
    vi.advanceTimersByTime(60);
    expect(pace.mayBegin(500)).toBe(false);
  });

  it('forgets a group that has ended, however late it was', () => {
    const pace = new GroupPace(3, vi.fn());
    const long = pace.begin();
    vi.advanceTimersByTime(60);
    long();
    expect(pace.isIdle).toBe(true);
    const next = pace.begin();
    expect(pace.mayBegin(1)).toBe(false);
    next();
    expect(pace.mayBegin(1)).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('lets a group have half of many commands, where two may be under way, and all of few', () => {
    expect([63, 64].map((waiting) => new GroupPace(3, vi.fn()).enough(waiting))).toEqual([63, 32]);
    expect(new GroupPace(1, vi.fn()).enough(64)).toBe(64);
  });
});

it('counts as ready no command whose partition is in a group, or slow to lock', () => {
  const queue = new AppendQueue();
  for (const partition of ['a/0', 'a/0', 'a/1', 'a/2'] as const) queue.add(waitingFor(partition));
  queue.markSlow('a/2', true);
  expect([queue.length, queue.ready]).toEqual([4, 3]);
  queue.take({ maxCommands: 1, maxBytes: 1, enoughCommands: 1 }, false);
  expect([queue.length, queue.ready]).toEqual([3, 1]);
});

function waitingFor(partitionKey: PartitionKey): PendingAppend {
  const request = { partitionKey, bytes: 1, fate: new AppendFate() } as AppendRequest;
  return new PendingAppend(request, vi.fn(), vi.fn());
}
