import { projection } from 'nest-kappa';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { OrderPlaced, orders } from './order.js';
import { stock, StockReceived, StockTaken } from './product.js';

@Entity({ name: 'shelves', synchronize: false })
export class ShelfRow {
  @PrimaryColumn('text') sku!: string;
  @Column('text') label!: string;
  @Column('int') folded!: number;
  @Column('int') received!: number;
  @Column('int') taken!: number;
  @Column('int') ordered!: number;
}

/** A row per product, from two topics: no order exists between what makes it. */
export const shelves = (version: number) => {
  const counted = (row: ShelfRow | null, sku: string): ShelfRow => ({
    sku,
    label: `v${version}`,
    folded: (row?.folded ?? 0) + 1,
    received: row?.received ?? 0,
    taken: row?.taken ?? 0,
    ordered: row?.ordered ?? 0,
  });
  return projection({ name: 'shelves', version, from: [stock, orders], table: ShelfRow })
    .on(StockReceived, { key: ({ stream }) => ({ sku: stream.id }) }, (row, { data }, { sku }) => {
      const next = counted(row, sku);
      return { ...next, received: next.received + data.quantity };
    })
    .on(StockTaken, { key: ({ stream }) => ({ sku: stream.id }) }, (row, { data }, { sku }) => {
      const next = counted(row, sku);
      return { ...next, taken: next.taken + data.quantity };
    })
    .on(OrderPlaced, { key: ({ data }) => data.lines.map(({ sku }) => ({ sku })) }, (row, { data }, { sku }) => {
      const next = counted(row, sku);
      const ordered = data.lines.filter((line) => line.sku === sku).reduce((sum, { quantity }) => sum + quantity, 0);
      return { ...next, ordered: next.ordered + ordered };
    });
};
