import { aggregate, event, refuse, topic, type } from 'nest-kappa';

export const StockReceived = event('stock.received', type<{ quantity: number }>());
export const StockTaken = event('stock.taken', type<{ quantity: number; orderId: string }>());
export const stock = topic('stock', { partitions: 2, events: [StockReceived, StockTaken] });

/** Few, so that all writers meet at the same streams. */
export const SKUS = ['apple', 'bread', 'cheese', 'dates'] as const;

export class ReceiveStock {
  constructor(
    readonly sku: string,
    readonly quantity: number,
  ) {}
}

export class TakeStock {
  constructor(
    readonly sku: string,
    readonly quantity: number,
    readonly orderId: string,
  ) {}
}

export interface ProductState {
  readonly inStock: number;
}

export const product = aggregate({
  name: 'product',
  topic: stock,
  id: 'sku',
  initialState: (): ProductState => ({ inStock: 0 }),
  snapshots: { every: 50 },
})
  .evolve({
    'stock.received': (state, { data }) => ({ inStock: state.inStock + data.quantity }),
    'stock.taken': (state, { data }) => ({ inStock: state.inStock - data.quantity }),
  })
  .decide(ReceiveStock, ({ quantity }) => [StockReceived({ quantity })])
  .decide(TakeStock, ({ quantity, orderId }, { inStock }) =>
    inStock >= quantity ? [StockTaken({ quantity, orderId })] : refuse('stock.short', { inStock, quantity }),
  );
