import { projection } from '../../../src/index.js';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { PaymentReceived, type payingApplication } from './receipts.js';

@Entity({ name: 'paid', synchronize: false })
class PaidRow {
  @PrimaryColumn('text') id!: string;
  @Column('int') cents!: number;
}

/** What was paid to each fine. */
export function balancesOf({ fines }: Pick<ReturnType<typeof payingApplication>, 'fines'>) {
  return projection({ name: 'paid', version: 1, from: [fines], table: PaidRow }).on(PaymentReceived, (row, e) => ({
    id: e.stream.id,
    cents: (row?.cents ?? 0) + e.data.cents,
  }));
}
