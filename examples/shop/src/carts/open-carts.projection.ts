import { projection } from 'nest-kappa';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { CartCheckedOut, CartOpened, carts, ItemAdded, type CartLine } from './cart.js';

@Entity({ name: 'open_carts', synchronize: false })
export class OpenCartRow {
  @PrimaryColumn('text') id!: string;
  @Column('text', { name: 'customer_id' }) customerId!: string;
  @Column('jsonb') lines!: readonly CartLine[];
  @Column('int', { name: 'total_cents' }) totalCents!: number;
  @Column('timestamptz', { name: 'opened_at' }) openedAt!: string;
}

export const OpenCarts = projection({ name: 'open_carts', version: 1, from: [carts], table: OpenCartRow });

export const openCartsV1 = OpenCarts.on(CartOpened, (_, event) => ({
  id: event.stream.id,
  customerId: event.data.customerId,
  lines: [],
  totalCents: 0,
  openedAt: event.occurredAt,
}))
  .on(
    ItemAdded,
    (row, { data }) => row && { ...row, lines: [...row.lines, data], totalCents: row.totalCents + data.quantity * data.cents },
  )
  // A cart that was checked out is open no longer: null deletes its row.
  .on(CartCheckedOut, () => null);
