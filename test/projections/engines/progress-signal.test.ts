import { describe, expect, it } from 'vitest';
import { ProgressSignal } from '../../../src/modules/projections/runner/progress-signal.js';

describe('the progress signal', () => {
  it('wakes who waits once every partition of the position is reached, and nobody else', async () => {
    const progress = new ProgressSignal();
    const { signal } = new AbortController();
    const told: string[] = [];
    const first = progress.wait(1, { 'a/0': 5, 'a/1': 2 }, signal).then(() => told.push('first'));
    const other = progress.wait(2, { 'a/0': 1 }, signal).then(() => told.push('other'));
    progress.publish(1, { 'a/0': 7 });
    await Promise.resolve();
    expect(told).toEqual([]);
    progress.publish(1, { 'a/1': 2 });
    await first;
    expect(told).toEqual(['first']);
    progress.publish(2, { 'a/0': 1 });
    await other;
    expect(await progress.wait(1, { 'a/0': 7, 'a/1': 2 }, signal)).toBe(true);
    expect(progress.reached(1)).toEqual({ 'a/0': 7, 'a/1': 2 });
  });

  it('lets go who waits when the signal aborts', async () => {
    const progress = new ProgressSignal();
    const stop = new AbortController();
    const waiting = progress.wait(1, { 'a/0': 5 }, stop.signal);
    stop.abort();
    expect(await waiting).toBe(false);
    expect(await progress.wait(1, { 'a/0': 5 }, stop.signal)).toBe(false);
  });

  it('tells subscribers of every commit until they leave', () => {
    const progress = new ProgressSignal();
    const seen: number[] = [];
    const leave = progress.subscribe((build, reached) => seen.push(build, reached['a/0'] ?? -1));
    progress.publish(3, { 'a/0': 1 });
    progress.publish(3, { 'a/0': 1 });
    leave();
    progress.publish(3, { 'a/0': 2 });
    expect(seen).toEqual([3, 1, 3, 1]);
  });
});
