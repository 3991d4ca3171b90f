import { IsArray, IsNotEmpty, IsString } from 'class-validator';
import { aggregate, event, refuse, topic, type } from 'nest-kappa';
import type { CartLine } from '../carts/cart.js';

export const OrderPlaced = event(
  'order.placed',
  type<{ customerId: string; lines: readonly CartLine[]; totalCents: number }>(),
);
export const OrderPaid = event('order.paid', type<Record<never, never>>());
export const OrderShipped = event('order.shipped', type<Record<never, never>>());
/** The customer was told, by the mail with this id. */
export const OrderConfirmed = event('order.confirmed', type<{ mailId: string }>());
export const orders = topic('orders', { partitions: 4, events: [OrderPlaced, OrderPaid, OrderShipped, OrderConfirmed] });

class OrderCommand {
  @IsString() @IsNotEmpty() orderId: string;
  constructor(orderId: string) {
    this.orderId = orderId;
  }
}

export class PlaceOrder extends OrderCommand {
  @IsString() @IsNotEmpty() customerId: string;
  @IsArray() lines: readonly CartLine[];
  constructor(orderId: string, customerId: string, lines: readonly CartLine[]) {
    super(orderId);
    this.customerId = customerId;
    this.lines = lines;
  }
}

export class PayOrder extends OrderCommand {}
export class ShipOrder extends OrderCommand {}

export class ConfirmOrder extends OrderCommand {
  @IsString() @IsNotEmpty() mailId: string;
  constructor(orderId: string, mailId: string) {
    super(orderId);
    this.mailId = mailId;
  }
}

export interface OrderState {
  readonly state: 'none' | 'placed' | 'paid' | 'shipped';
  readonly confirmed: boolean;
}

export const Order = aggregate({
  name: 'order',
  topic: orders,
  id: 'orderId',
  initialState: (): OrderState => ({ state: 'none', confirmed: false }),
});

export const order = Order.evolve({
  'order.placed': (order) => ({ ...order, state: 'placed' }),
  'order.paid': (order) => ({ ...order, state: 'paid' }),
  'order.shipped': (order) => ({ ...order, state: 'shipped' }),
  'order.confirmed': (order) => ({ ...order, confirmed: true }),
})
  .decide(PlaceOrder, ({ customerId, lines }, { state }) => {
    if (state !== 'none') refuse('order.exists');
    return [OrderPlaced({ customerId, lines, totalCents: lines.reduce((sum, line) => sum + line.quantity * line.cents, 0) })];
  })
  .decide(PayOrder, (_, { state }) => (state === 'placed' ? [OrderPaid({})] : refuse('order.not-payable', { state })))
  .decide(ShipOrder, (_, { state }) => (state === 'paid' ? [OrderShipped({})] : refuse('order.not-paid', { state })))
  .decide(ConfirmOrder, ({ mailId }, { confirmed }) => (confirmed ? [] : [OrderConfirmed({ mailId })]));
