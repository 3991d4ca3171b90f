import type { LoggedEvent, Offsets, Row } from './evidence.js';
import { inOrder } from './streams.js';

/** A row by its key; null for one that was deleted. */
export type Folded = ReadonlyMap<string, Row | null>;

/**
 * What a table must hold at a position, folded here from the log by code that shares nothing with the projections: one event
 * after the other into a map.
 */
export function cleanFold(projection: string, version: number, events: readonly LoggedEvent[], position: Offsets): Folded {
  const fold = FOLDS[projection];
  if (!fold) throw new Error(`no clean fold for ${projection}`);
  const rows = new Map<string, Row | null>();
  for (const event of inOrder(events)) {
    if (event.offset >= (position[`${event.topic}/${event.partition}`] ?? 0)) continue;
    fold(rows, event, `v${version}`);
  }
  return rows;
}

/** The key of a row as the folds below write it. */
export function keyOf(projection: string, row: Row): string {
  return (KEYS[projection] ?? []).map((column) => row[column]).join(' ');
}

const KEYS: Readonly<Record<string, readonly string[]>> = {
  open_carts: ['id'],
  sales: ['sku', 'day'],
  shelves: ['sku'],
};

type FoldOne = (rows: Map<string, Row | null>, event: LoggedEvent, label: string) => void;

const FOLDS: Readonly<Record<string, FoldOne>> = {
  open_carts: (rows, { type, stream, version, data }, label) => {
    const id = stream.slice('/cart/'.length);
    const row = rows.get(id);
    if (type === 'cart.opened') rows.set(id, { id, label, folded: 1, stream_version: version, items: 0 });
    if (type === 'cart.item-added' && row) {
      const items = Number(row['items']) + Number(data['quantity']);
      rows.set(id, { ...row, folded: Number(row['folded']) + 1, stream_version: version, items });
    }
    if (type === 'cart.checked-out') rows.set(id, null);
  },
  sales: (rows, { type, data }, label) => {
    if (type !== 'order.placed') return;
    const day = String(data['day']);
    for (const [sku, quantity] of quantities(data)) {
      const key = `${sku} ${day}`;
      const row = rows.get(key) ?? { folded: 0, quantity: 0 };
      rows.set(key, { sku, day, label, folded: Number(row['folded']) + 1, quantity: Number(row['quantity']) + quantity });
    }
  },
  shelves: (rows, { type, stream, data }, label) => {
    const add = (sku: string, column: string, quantity: number): void => {
      const row = rows.get(sku) ?? { sku, label, folded: 0, received: 0, taken: 0, ordered: 0 };
      rows.set(sku, { ...row, folded: Number(row['folded']) + 1, [column]: Number(row[column]) + quantity });
    };
    if (type === 'stock.received') add(stream.slice('/product/'.length), 'received', Number(data['quantity']));
    if (type === 'stock.taken') add(stream.slice('/product/'.length), 'taken', Number(data['quantity']));
    if (type === 'order.placed') for (const [sku, quantity] of quantities(data)) add(sku, 'ordered', quantity);
  },
};

function quantities(data: LoggedEvent['data']): ReadonlyMap<string, number> {
  const sums = new Map<string, number>();
  for (const { sku, quantity } of data['lines'] as readonly { readonly sku: string; readonly quantity: number }[])
    sums.set(sku, (sums.get(sku) ?? 0) + quantity);
  return sums;
}
