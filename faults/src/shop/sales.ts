import { projection } from 'nest-kappa';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { OrderPlaced, orders } from './order.js';

@Entity({ name: 'sales', synchronize: false })
export class SalesRow {
  @PrimaryColumn('text') sku!: string;
  @PrimaryColumn('text') day!: string;
  @Column('text') label!: string;
  @Column('int') folded!: number;
  @Column('int') quantity!: number;
}

/** A row per product and day, which orders of all partitions touch: owners meet at the same rows. */
export const sales = (version: number) =>
  projection({ name: 'sales', version, from: [orders], table: SalesRow }).on(
    OrderPlaced,
    { key: ({ data }) => data.lines.map(({ sku }) => ({ sku, day: data.day })) },
    (row, { data }, key) => ({
      sku: key.sku,
      day: key.day,
      label: `v${version}`,
      folded: (row?.folded ?? 0) + 1,
      quantity: data.lines
        .filter(({ sku }) => sku === key.sku)
        .reduce((sum, { quantity }) => sum + quantity, row?.quantity ?? 0),
    }),
  );
