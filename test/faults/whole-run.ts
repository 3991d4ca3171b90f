import type { JournalLine } from '../../faults/src/actors/journal.js';
import type { Evidence, LoggedEvent, ProgressNote, Row } from '../../faults/src/check/evidence.js';

/** A small run in which every promise was kept, as the harness would have found it; tests doctor a copy. */
export function wholeRun(): Writable<Evidence> {
  const streams = [
    event('carts/0', 0, '/cart/c1', 1, 'cart.opened', 'open-1', { customerId: 'ann' }),
    event('carts/0', 1, '/cart/c1', 2, 'cart.item-added', 'add-1', { sku: 'apple', quantity: 2 }),
    event('carts/0', 2, '/cart/c2', 1, 'cart.opened', 'open-2', { customerId: 'bob' }),
    event('carts/0', 3, '/cart/c2', 2, 'cart.checked-out', 'out-2', { orderId: 'o1' }),
    event('orders/0', 0, '/order/o1', 1, 'order.placed', 'place-1', {
      day: '2026-01-01',
      lines: [
        { sku: 'apple', quantity: 2 },
        { sku: 'bread', quantity: 1 },
        { sku: 'apple', quantity: 1 },
      ],
    }),
    event('orders/0', 1, '/order/o1', 2, 'order.confirmed', 'place-1', { lines: 3 }),
    event('orders/1', 0, '/order/o2', 1, 'order.placed', 'place-2', {
      day: '2026-01-01',
      lines: [{ sku: 'apple', quantity: 5 }],
    }),
    event('orders/1', 1, '/order/o2', 2, 'order.confirmed', 'place-2', { lines: 1 }),
    event('stock/0', 0, '/product/apple', 1, 'stock.received', 'delivery-1', { quantity: 10 }),
    event('stock/0', 1, '/product/apple', 2, 'stock.taken', 'take-1', { quantity: 3 }),
    event('customers/0', 0, '/customer/ann', 1, 'customer.registered', 'register-1', { email: 'ann@example.com' }),
  ];
  const position = { 'carts/0': 4, 'orders/0': 2, 'orders/1': 2, 'stock/0': 2 };
  const table = (projection: string, version: number, rows: readonly Row[]) => ({
    at: 2_000,
    build: version,
    projection,
    version,
    position,
    rows: [...rows],
  });
  return {
    journal: journalOf(streams),
    streams,
    topics: [...streams],
    tables: [
      table('open_carts', 1, [{ id: 'c1', label: 'v1', folded: 2, stream_version: 2, items: 2 }]),
      table('sales', 2, [
        { sku: 'apple', day: '2026-01-01', label: 'v2', folded: 2, quantity: 8 },
        { sku: 'bread', day: '2026-01-01', label: 'v2', folded: 1, quantity: 1 },
      ]),
      table('shelves', 1, [
        { sku: 'apple', label: 'v1', folded: 4, received: 10, taken: 3, ordered: 8 },
        { sku: 'bread', label: 'v1', folded: 1, received: 0, taken: 0, ordered: 1 },
      ]),
    ],
    progress: [note(1_000, { 'orders/0': 0, 'orders/1': 0 }), note(1_500, { 'orders/0': 2, 'orders/1': 2 })],
    views: [
      { at: 1_000, projection: 'sales', labels: ['v1'], folded: 0 },
      { at: 1_500, projection: 'sales', labels: ['v1'], folded: 3 },
      { at: 1_600, projection: 'sales', labels: ['v2'], folded: 3 },
    ],
  };
}

/** As evidence is, but to be doctored. */
export type Writable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer E)[] ? E[] : T[K] };

export function event(
  place: string,
  offset: number,
  stream: string,
  version: number,
  type: string,
  commandId: string,
  data: LoggedEvent['data'],
): LoggedEvent {
  const [topic = '', partition] = place.split('/');
  const eventId = `${stream}#${version}`;
  return { topic, partition: Number(partition), offset, stream, version, eventId, type, commandId, data };
}

export function note(at: number, next: ProgressNote['next'], epoch = 1): ProgressNote {
  const epochs = Object.fromEntries(Object.keys(next).map((partition) => [partition, epoch]));
  return { at, build: 1, projection: 'sales', live: true, next, epochs };
}

/** Every command tried and acknowledged. */
function journalOf(streams: readonly LoggedEvent[]): JournalLine[] {
  return [...new Set(streams.map(({ commandId }) => commandId))].flatMap((id): JournalLine[] => {
    const made = streams.filter(({ commandId }) => commandId === id);
    const [first] = made;
    const last = made.at(-1);
    if (!first || !last) return [];
    const { stream, topic, partition } = first;
    return [
      { t: 'tried', id, stream, events: made.length, at: 1_000 },
      {
        t: 'acknowledged',
        id,
        stream,
        first: first.version,
        last: last.version,
        eventIds: made.map(({ eventId }) => eventId),
        position: { [`${topic}/${partition}`]: last.offset + 1 },
        triedAt: 1_000,
        at: 1_100,
      },
    ];
  });
}
