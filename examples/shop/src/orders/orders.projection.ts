import { projection, type Recorded } from 'nest-kappa';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { CartLine } from '../carts/cart.js';
import { OrderPaid, OrderPlaced, orders, OrderShipped } from './order.js';

@Entity({ name: 'orders', synchronize: false })
export class OrderRow {
  @PrimaryColumn('text') id!: string;
  @Column('text', { name: 'customer_id' }) customerId!: string;
  @Column('text') state!: 'placed' | 'paid' | 'shipped';
  @Column('jsonb') lines!: readonly CartLine[];
  @Column('int', { name: 'total_cents' }) totalCents!: number;
  @Column('timestamptz', { name: 'placed_at' }) placedAt!: string;
}

export const Orders = projection({ name: 'orders', version: 1, from: [orders], table: OrderRow });

/** The decorator form of a projection. */
@Orders.Handlers()
export class OrdersV1 {
  @Orders.On(OrderPlaced)
  placed(_: OrderRow | null, event: Recorded<typeof OrderPlaced>): OrderRow {
    const { customerId, lines, totalCents } = event.data;
    return { id: event.stream.id, customerId, state: 'placed', lines, totalCents, placedAt: event.occurredAt };
  }

  @Orders.On(OrderPaid)
  paid(row: OrderRow | null): OrderRow | null {
    return row && { ...row, state: 'paid' };
  }

  @Orders.On(OrderShipped)
  shipped(row: OrderRow | null): OrderRow | null {
    return row && { ...row, state: 'shipped' };
  }
}
