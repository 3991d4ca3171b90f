import { projection } from 'nest-kappa';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { CartCheckedOut, CartOpened, carts, ItemAdded } from './cart.js';

/** Every row says which version made it and how many events it holds: a mixture shows, and so does what was folded twice. */
@Entity({ name: 'open_carts', synchronize: false })
export class OpenCartRow {
  @PrimaryColumn('text') id!: string;
  @Column('text') label!: string;
  @Column('int') folded!: number;
  @Column('int', { name: 'stream_version' }) streamVersion!: number;
  @Column('int') items!: number;
}

/** A row per stream: its key is the record's key. */
export const openCarts = (version: number) =>
  projection({ name: 'open_carts', version, from: [carts], table: OpenCartRow })
    .on(CartOpened, (_, { stream }) => ({
      id: stream.id,
      label: `v${version}`,
      folded: 1,
      streamVersion: stream.version,
      items: 0,
    }))
    .on(
      ItemAdded,
      (row, { stream, data }) =>
        row && {
          ...row,
          folded: row.folded + 1,
          streamVersion: stream.version,
          items: row.items + data.quantity,
        },
    )
    .on(CartCheckedOut, () => null);
