import { aggregate, event, refuse, topic, type } from 'nest-kappa';

export const FineCreated = event('fine.created', type<{ cents: number }>());
export const PaymentReceived = event('payment.received', type<{ cents: number }>());
export const fines = topic('fines', { partitions: 4, events: [FineCreated, PaymentReceived] });

export class CreateFine {
  constructor(
    readonly fineId: string,
    readonly cents: number,
  ) {}
}

export class ReceivePayment {
  constructor(
    readonly fineId: string,
    readonly cents: number,
  ) {}
}

export const fine = aggregate({ name: 'fine', topic: fines, id: 'fineId', initialState: () => ({ created: false }) })
  .evolve({ 'fine.created': () => ({ created: true }), 'payment.received': (state) => state })
  .decide(CreateFine, ({ cents }, state) => (state.created ? refuse('fine.exists') : [FineCreated({ cents })]))
  .decide(ReceivePayment, ({ cents }, state) => (state.created ? [PaymentReceived({ cents })] : refuse('fine.unknown')));
