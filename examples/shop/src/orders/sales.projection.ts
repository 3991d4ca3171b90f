import { projection } from 'nest-kappa';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { OrderPlaced, orders } from './order.js';

@Entity({ name: 'sales_per_product_per_day', synchronize: false })
export class SalesRow {
  @PrimaryColumn('text') sku!: string;
  /** `2026-11-21`: the date as the event's time was written. */
  @PrimaryColumn('date') day!: string;
  @Column('int') quantity!: number;
  @Column('int', { name: 'revenue_cents' }) revenueCents!: number;
}

export const Sales = projection({ name: 'sales_per_product_per_day', version: 1, from: [orders], table: SalesRow });

/** An order changes one row per product in it: the keys are known first, then the fold runs once for each. */
export const salesV1 = Sales.on(
  OrderPlaced,
  { key: (event) => event.data.lines.map(({ sku }) => ({ sku, day: event.occurredAt.slice(0, 10) })) },
  (row, event, key) => {
    const sold = event.data.lines.filter(({ sku }) => sku === key.sku);
    return {
      ...key,
      quantity: (row?.quantity ?? 0) + sold.reduce((sum, line) => sum + line.quantity, 0),
      revenueCents: (row?.revenueCents ?? 0) + sold.reduce((sum, line) => sum + line.quantity * line.cents, 0),
    };
  },
);
