import { describe, expect, it, vi } from 'vitest';
import type { Position } from '../../src/kernel/position.js';
import { Wake } from '../../src/log/wake.js';

describe('wake-ups', () => {
  it('come at once for what this process appends, without a probe', async () => {
    const wake = new Wake({ minIntervalMs: 0, maxIntervalMs: 0 });
    const waited = wake.wait({ 'a/0': 5 }, {});
    wake.appended({ 'a/1': 9 });
    wake.appended({ 'a/0': 6 });
    await waited;
    await wake.wait({ 'a/0': 5 }, {});
    expect(wake.end('a/0')).toBe(6);
  });

  it('ask for all partitions that anyone waits for in one probe', async () => {
    const asked: Position[] = [];
    const wake = new Wake({
      probe: async (after): Promise<Position> => {
        asked.push(after);
        return asked.length === 3 ? { 'a/0': 1, 'b/7': 1 } : {};
      },
      minIntervalMs: 1,
      maxIntervalMs: 2,
    });
    await Promise.all([wake.wait({ 'a/0': 0, 'a/1': 0 }, {}), wake.wait({ 'b/7': 0, 'a/1': 0 }, {})]);
    expect(asked).toEqual(Array.from({ length: 3 }, () => ({ 'a/0': 0, 'a/1': 0, 'b/7': 0 })));
    wake.stop();
  });

  it('go on when a probe fails', async () => {
    let probes = 0;
    const wake = new Wake({
      probe: async () => {
        probes += 1;
        if (probes < 3) throw new Error('the database is away');
        return { 'a/0': 1 };
      },
      minIntervalMs: 1,
      maxIntervalMs: 1,
    });
    await wake.wait({ 'a/0': 0 }, {});
    expect(probes).toBe(3);
    wake.stop();
  });

  it('back off while nothing comes, the slower the longer, start anew when something does, and probe nothing when nobody waits', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    try {
      const times: number[] = [];
      const wake = new Wake({
        probe: async () => (times.push(performance.now()) === 8 ? { 'a/0': 1 } : {}),
        minIntervalMs: 10,
        maxIntervalMs: 80,
      });
      const waited = wake.wait({ 'a/0': 0 }, {});
      await vi.advanceTimersByTimeAsync(1_000);
      await waited;
      expect(times).toHaveLength(8);
      const again = wake.wait({ 'a/0': 1 }, { timeoutMs: 25 });
      await vi.advanceTimersByTimeAsync(1_000);
      await again;
      const between = times.slice(1).map((time, index) => Math.round(time - (times[index] ?? 0)));
      expect(between.slice(0, 7)).toEqual([15, 22, 33, 50, 55, 61, 67]);
      expect(times.length).toBeLessThanOrEqual(11);
    } finally {
      vi.useRealTimers();
    }
  });

  it('end with an error for whoever waits on a stopped log', async () => {
    const wake = new Wake({ minIntervalMs: 0, maxIntervalMs: 0 });
    const waiting = wake.wait({ 'a/0': 0 }, {});
    wake.stop();
    await waiting;
    await expect(wake.wait({ 'a/0': 0 }, {})).rejects.toMatchObject({ code: 'KAPPA_LOG_STOPPED' });
  });
});
