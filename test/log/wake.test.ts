import { describe, expect, it, vi } from 'vitest';
import type { Position } from '../../src/kernel/position.js';
import { Wake, type Probed } from '../../src/log/wake.js';

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
      probe: async (after): Promise<Probed> => {
        asked.push(after);
        return found(asked.length === 3 ? { 'a/0': 1, 'b/7': 1 } : {});
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
        return found({ 'a/0': 1 });
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
        probe: async () => found(times.push(performance.now()) === 8 ? { 'a/0': 1 } : {}),
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

  it('are looked for seldom, together with what else is, where nobody else could append, and as before once somebody could', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    try {
      const probes: { readonly at: number; readonly atRest: boolean }[] = [];
      const wake = new Wake({
        probe: async (_after, atRest) => {
          probes.push({ at: performance.now(), atRest });
          return { ends: {}, alone: performance.now() < 10_000 };
        },
        minIntervalMs: 100,
        maxIntervalMs: 200,
        aloneIntervalMs: 3_000,
      });
      const waited = wake.wait({ 'a/0': 0 }, { timeoutMs: 13_000 });
      await vi.advanceTimersByTimeAsync(13_000);
      await waited;
      wake.stop();
      // Whether anybody is there is asked only when nothing has come for a while.
      const seldom = probes.findIndex(({ at }) => at % 3_000 === 0 && at > 0);
      expect(probes.slice(0, seldom - 1).every(({ atRest }) => !atRest)).toBe(true);
      expect(probes.slice(seldom - 1).every(({ atRest }) => atRest)).toBe(true);
      const rest = probes.slice(seldom).map(({ at }) => at);
      expect(rest.slice(0, 3).map((at) => at % 3_000)).toEqual([0, 0, 0]);
      expect(rest.find((at) => at > 10_000)).toBe(12_000);
      expect(rest.filter((at) => at > 12_000)).toEqual([12_200, 12_400, 12_600, 12_800]);
    } finally {
      vi.useRealTimers();
    }
  });

  it('are looked for as before for as long as it is said after somebody was there', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    try {
      const began = performance.now();
      const probes: number[] = [];
      const wake = new Wake({
        probe: async () => {
          probes.push(performance.now() - began);
          return { ends: {}, alone: performance.now() - began > 2_000 };
        },
        minIntervalMs: 100,
        maxIntervalMs: 100,
        aloneIntervalMs: 60_000,
        aloneAfterMs: 5_000,
      });
      const waited = wake.wait({ 'a/0': 0 }, { timeoutMs: 20_000 });
      await vi.advanceTimersByTimeAsync(20_000);
      await waited;
      wake.stop();
      expect(probes.at(-1)).toBeGreaterThanOrEqual(6_900);
      expect(probes.at(-1)).toBeLessThanOrEqual(7_100);
      expect(probes.length).toBeGreaterThanOrEqual(69);
    } finally {
      vi.useRealTimers();
    }
  });

  it('are looked for as before, too, where somebody who has gone again has appended', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    try {
      const began = performance.now();
      const probes: number[] = [];
      const wake = new Wake({
        probe: async () => {
          probes.push(performance.now() - began);
          return { ends: probes.length === 5 ? { 'a/0': 1 } : {}, alone: true };
        },
        minIntervalMs: 100,
        maxIntervalMs: 100,
        aloneIntervalMs: 1_000,
        aloneAfterMs: 5_000,
      });
      const waited = wake.wait({ 'a/0': 1 }, { timeoutMs: 20_000 });
      await vi.advanceTimersByTimeAsync(20_000);
      await waited;
      wake.stop();
      const after = probes.slice(4);
      expect(after.filter((at) => at < (after[0] ?? 0) + 4_950)).toHaveLength(50);
      expect(after.filter((at) => at > (after[0] ?? 0) + 5_050).length).toBeLessThan(15);
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

function found(ends: Position): Probed {
  return { ends, alone: false };
}
