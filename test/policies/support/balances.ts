import { projection } from '../../../src/index.js';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { fines, PaymentReceived } from './receipts.js';

@Entity({ name: 'paid', synchronize: false })
class PaidRow {
  @PrimaryColumn('text') id!: string;
  @Column('int') cents!: number;
}

export const balancesV1 = projection({ name: 'paid', version: 1, from: [fines], table: PaidRow }).on(
  PaymentReceived,
  (row, e) => ({ id: e.stream.id, cents: (row?.cents ?? 0) + e.data.cents }),
);
