import { describe, expect, it } from 'vitest';
import type { JournalLine } from '../../faults/src/actors/journal.js';
import { check } from '../../faults/src/check/check.js';
import type { Evidence, ProblemKind, Row } from '../../faults/src/check/evidence.js';
import { event, note, wholeRun, type Writable } from './whole-run.js';

/** What the check counts when a run that kept its promises was doctored in one place. */
function counted(doctor: (run: Writable<Evidence>) => void): Partial<Record<ProblemKind, number>> {
  const run = wholeRun();
  doctor(run);
  const counts: Partial<Record<ProblemKind, number>> = {};
  for (const { kind } of check(run)) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

function change(rows: readonly Row[], column: string, value: string | number): void {
  (rows[0] as Record<string, string | number | null>)[column] = value;
}

function without(run: Writable<Evidence>, id: string, t: JournalLine['t']): void {
  run.journal = run.journal.filter((line) => line.id !== id || line.t !== t);
}

const table = (run: Writable<Evidence>, projection: string) => {
  const found = run.tables.find((each) => each.projection === projection);
  if (!found) throw new Error(projection);
  return found;
};

describe('the check of a run', () => {
  it('finds nothing where every promise was kept', () => {
    expect(counted(() => undefined)).toEqual({});
  });

  describe('of commands', () => {
    it('counts an acknowledged event that is gone', () => {
      // Without its stream's row, its topic's record and its share in the table are wrong as well.
      const counts = counted((run) => {
        run.streams = run.streams.filter(({ stream }) => stream !== '/customer/ann');
        run.topics = run.topics.filter(({ stream }) => stream !== '/customer/ann');
      });
      expect(counts).toEqual({ lost: 1 });
    });

    it('counts one half of a command', () => {
      const counts = counted((run) => {
        run.streams = run.streams.filter(({ type, stream }) => type !== 'order.confirmed' || stream !== '/order/o2');
        run.topics = run.topics.filter(({ type, stream }) => type !== 'order.confirmed' || stream !== '/order/o2');
        without(run, 'place-2', 'acknowledged');
      });
      expect(counts).toEqual({ lost: 1 });
    });

    it('counts a command that took effect twice', () => {
      const again = event('stock/0', 2, '/product/apple', 3, 'stock.taken', 'take-1', { quantity: 3 });
      expect(
        counted((run) => {
          run.streams.push(again);
          run.topics.push(again);
        }),
      ).toEqual({ doubled: 1 });
    });

    it('counts a refused command that took effect', () => {
      const counts = counted((run) => {
        without(run, 'take-1', 'acknowledged');
        run.journal.push({ t: 'refused', id: 'take-1', code: 'stock.short', at: 1_100 });
      });
      expect(counts).toEqual({ doubled: 1 });
    });

    it('counts an effect that nobody asked for', () => {
      expect(counted((run) => void (run.journal = run.journal.filter(({ id }) => id !== 'take-1')))).toEqual({ doubled: 1 });
    });

    it('accepts a command without an answer, whether it is there or not', () => {
      expect(counted((run) => without(run, 'take-1', 'acknowledged'))).toEqual({});
      expect(counted((run) => run.journal.push({ t: 'tried', id: 'gone', stream: '/cart/c9', events: 1, at: 1_000 }))).toEqual(
        {},
      );
      expect(
        counted((run) => run.journal.push({ t: 'unknown', id: 'take-1', code: 'KAPPA_UNKNOWN_OUTCOME', at: 1_000 })),
      ).toEqual({});
    });

    it('counts an answer that gave a position before the event', () => {
      const counts = counted((run) => {
        run.journal = run.journal.map((line) =>
          line.t === 'acknowledged' && line.id === 'take-1' ? { ...line, position: { 'stock/0': 1 } } : line,
        );
      });
      expect(counts).toEqual({ reordered: 1 });
    });

    it('counts an address that two customers hold', () => {
      const bob = event('customers/0', 1, '/customer/bob', 1, 'customer.registered', 'register-2', {
        email: 'ann@example.com',
      });
      const counts = counted((run) => {
        run.streams.push(bob);
        run.topics.push(bob);
        run.journal.push({ t: 'tried', id: 'register-2', stream: '/customer/bob', events: 1, at: 1_000 });
      });
      expect(counts).toEqual({ doubled: 1 });
    });
  });

  describe('of streams and topics', () => {
    it('counts a gap in the versions', () => {
      const counts = counted((run) => {
        const last = event('stock/0', 2, '/product/apple', 4, 'stock.nothing', 'later', {});
        run.streams.push(last);
        run.topics.push(last);
        run.journal.push({ t: 'tried', id: 'later', stream: '/product/apple', events: 1, at: 1_000 });
      });
      expect(counts).toEqual({ lost: 1 });
    });

    it('counts an event that never reached its topic', () => {
      expect(counted((run) => void (run.topics = run.topics.filter(({ commandId }) => commandId !== 'register-1')))).toEqual({
        lost: 1,
      });
    });

    it('counts an event that reached its topic twice', () => {
      const counts = counted((run) => {
        const copy = run.topics.find(({ commandId }) => commandId === 'register-1');
        if (copy) run.topics.push({ ...copy, offset: 1 });
      });
      expect(counts).toEqual({ doubled: 1 });
    });

    it('counts an event of no stream', () => {
      expect(
        counted((run) => run.topics.push(event('customers/0', 1, '/customer/eve', 1, 'customer.registered', 'eve', {}))),
      ).toEqual({ doubled: 1 });
    });

    it('counts versions that were read in another order', () => {
      const counts = counted((run) => {
        const at = run.topics.findIndex(({ commandId }) => commandId === 'delivery-1');
        run.topics.splice(at, 2, ...run.topics.slice(at, at + 2).reverse());
      });
      expect(counts).toEqual({ reordered: 2 });
    });

    it('counts versions that were appended in another order', () => {
      const counts = counted((run) => {
        const swapped = run.streams.map((each) => (each.topic === 'stock' ? { ...each, offset: 1 - each.offset } : each));
        run.streams = swapped;
        run.topics = swapped.toSorted((a, b) => a.offset - b.offset);
      });
      // As it stands in the stream, and as it was read; and one answer named a position before its event.
      expect(counts).toEqual({ reordered: 3 });
    });
  });

  describe('of tables', () => {
    it('counts a row that is missing', () => {
      expect(counted((run) => void (table(run, 'sales').rows as Row[]).pop())).toEqual({ lost: 1 });
    });

    it('counts a row that no event makes', () => {
      const row = { id: 'c7', label: 'v1', folded: 1, stream_version: 1, items: 0 };
      expect(counted((run) => (table(run, 'open_carts').rows as Row[]).push(row))).toEqual({ doubled: 1 });
    });

    it('counts a row that should have been deleted', () => {
      const row = { id: 'c2', label: 'v1', folded: 1, stream_version: 1, items: 0 };
      expect(counted((run) => (table(run, 'open_carts').rows as Row[]).push(row))).toEqual({ lost: 1 });
    });

    it('counts an event that a row lacks, and one that it holds twice', () => {
      expect(counted((run) => change(table(run, 'sales').rows, 'folded', 1))).toEqual({ lost: 1 });
      expect(counted((run) => change(table(run, 'sales').rows, 'folded', 3))).toEqual({ doubled: 1 });
    });

    it('counts a row with as many events and another outcome', () => {
      expect(counted((run) => change(table(run, 'open_carts').rows, 'stream_version', 1))).toEqual({ reordered: 1 });
    });

    it('counts a row of another version', () => {
      expect(counted((run) => change(table(run, 'sales').rows, 'label', 'v1'))).toEqual({ mixed: 1 });
    });

    it('folds up to the position only', () => {
      const counts = counted((run) => {
        const sales = table(run, 'sales');
        run.tables = [
          {
            ...sales,
            position: { 'orders/0': 0, 'orders/1': 1 },
            rows: [{ sku: 'apple', day: '2026-01-01', label: 'v2', folded: 1, quantity: 5 }],
          },
        ];
      });
      expect(counts).toEqual({});
    });
  });

  describe('of what was watched', () => {
    it('counts progress and epochs that went back', () => {
      expect(counted((run) => run.progress.push(note(1_600, { 'orders/0': 1, 'orders/1': 2 })))).toEqual({ reordered: 1 });
      expect(counted((run) => run.progress.push(note(1_600, { 'orders/0': 2, 'orders/1': 2 }, 0)))).toEqual({ reordered: 2 });
    });

    it('counts an answer with rows of two versions', () => {
      expect(counted((run) => run.views.push({ at: 1_700, projection: 'sales', labels: ['v1', 'v2'], folded: 3 }))).toEqual({
        mixed: 1,
      });
    });

    it('counts an answer that shows fewer events than one before', () => {
      expect(counted((run) => run.views.push({ at: 1_700, projection: 'sales', labels: ['v2'], folded: 2 }))).toEqual({
        lost: 1,
      });
    });
  });
});
