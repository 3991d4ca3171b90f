import { projection, type Recorded } from 'nest-kappa';
import { FineCreated, fines, PaymentReceived } from './fines.js';
import { fromCents } from './money.js';
import { FineRow, PaymentsRow } from './rows.js';

export const Fines = projection({ name: 'fines', version: 1, from: [fines], table: FineRow });
export const finesV1 = Fines.on(FineCreated, (_, event) => ({ id: event.stream.id, paid: '0.00', open: true })).on(
  PaymentReceived,
  (row, event) => row && { ...row, paid: fromCents(Math.round(Number(row.paid) * 100) + event.data.cents) },
);

export const PaymentsPerFine = projection({ name: 'payments_per_fine', version: 1, from: [fines], table: PaymentsRow });

@PaymentsPerFine.Handlers()
export class PaymentsPerFineV1 {
  @PaymentsPerFine.On(PaymentReceived, { key: (event) => ({ fineId: event.stream.id }) })
  received(row: PaymentsRow | null, event: Recorded<typeof PaymentReceived>) {
    return { fineId: event.stream.id, payments: (row?.payments ?? 0) + 1 };
  }
}
