import { aggregate, event, refuse, topic, type } from 'nest-kappa';

export interface OrderLine {
  readonly sku: string;
  readonly quantity: number;
}

export const OrderPlaced = event('order.placed', type<{ day: string; lines: readonly OrderLine[] }>());
export const OrderConfirmed = event('order.confirmed', type<{ lines: number }>());
export const OrderPaid = event('order.paid', type<Record<never, never>>());
export const orders = topic('orders', { partitions: 4, events: [OrderPlaced, OrderConfirmed, OrderPaid] });

export class PlaceOrder {
  constructor(
    readonly orderId: string,
    readonly day: string,
    readonly lines: readonly OrderLine[],
  ) {}
}

export class PayOrder {
  constructor(readonly orderId: string) {}
}

export interface OrderState {
  readonly state: 'none' | 'placed' | 'paid';
}

export const order = aggregate({
  name: 'order',
  topic: orders,
  id: 'orderId',
  initialState: (): OrderState => ({ state: 'none' }),
  snapshots: { every: 2 },
})
  .evolve({
    'order.placed': () => ({ state: 'placed' }),
    'order.confirmed': (state) => state,
    'order.paid': () => ({ state: 'paid' }),
  })
  // Two events of one command: both are there, or neither.
  .decide(PlaceOrder, ({ day, lines }, { state }) =>
    state === 'none' ? [OrderPlaced({ day, lines }), OrderConfirmed({ lines: lines.length })] : refuse('order.exists'),
  )
  .decide(PayOrder, (_, { state }) => (state === 'placed' ? [OrderPaid({})] : refuse('order.not-payable', { state })));
