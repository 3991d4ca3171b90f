import { aggregate, event, policy, projection, refuse, topic, type, type InjectService, type Recorded } from 'nest-kappa';

/** What an application writes: nothing is annotated in the object form, all is inferred. */
export const FineCreated = event('fine.created', type<{ amount: string }>());
export const PaymentReceived = event('payment.received', type<{ cents: number }>()).next(type<{ amount: string }>(), (old) => ({
  amount: String(old.cents / 100),
}));
export const OrderPlaced = event('order.placed', type<{ amount: string }>());
export const fines = topic('fines', { partitions: 8, events: [FineCreated, PaymentReceived] });

/** A topic that other services write to, in a shape of their own. */
export const payments = topic('payments', {
  events: [PaymentReceived, OrderPlaced],
  decode: (record) => {
    if (record.value === null) return null;
    const amount = record.text();
    return record.headers['kind'] === 'order'
      ? { event: OrderPlaced({ amount }), key: record.key ?? '', occurredAt: record.recordedAt }
      : { event: PaymentReceived({ amount }) };
  },
});

export interface FineState {
  readonly amount: string | null;
  readonly paid: string;
}

export class ReceivePayment {
  fineId!: string;
  amount!: string;
  constructor(fineId?: string) {
    if (fineId !== undefined) this.fineId = fineId;
  }
}

export class AddPenalty {
  fineId!: string;
}

export class FineRow {
  id!: string;
  amount!: string;
  paid!: string;
}

export class Tariffs {
  of(_fineId: string): Promise<string> {
    return Promise.resolve('1.00');
  }
}

export const Fine = aggregate({
  name: 'fine',
  topic: fines,
  id: 'fineId',
  initialState: (): FineState => ({ amount: null, paid: '0' }),
  unique: { 'fine.amount': (state) => state.amount },
});

export const fine = Fine.evolve({
  'fine.created': (state, e) => ({ ...state, amount: e.data.amount }),
  'payment.received': (state, e) => ({ ...state, paid: e.data.amount }),
})
  .decide(ReceivePayment, (command, state) =>
    state.amount === null ? refuse('fine.closed') : [PaymentReceived({ amount: command.amount })],
  )
  .decide(
    AddPenalty,
    async (command, state, inject) => inject(Tariffs).of(command.fineId),
    (command, state, { facts, now }) => [FineCreated({ amount: `${facts} ${now}` })],
  );

export const Fines = projection({ name: 'fines', version: 1, from: [fines], table: FineRow });

export const finesV1 = Fines.on(FineCreated, (row, e) => ({ id: e.stream.id, amount: e.data.amount, paid: '0' }))
  .on(PaymentReceived, (row, e) => row && { ...row, paid: e.data.amount })
  .on(PaymentReceived, { key: (e) => ({ id: e.stream.id }) }, (row, e) => row && { ...row, paid: e.data.amount })
  .on(PaymentReceived, { key: (e) => [{ id: e.data.amount }, { id: e.stream.id }] }, () => null);

const FineNoted = event('fine.noted', type<{ text: string }>());
const notes = topic('notes', { events: [FineNoted] });

/** Topics of different events: each handler knows the event that it names. */
export const finesAndNotes = projection({ name: 'fines_and_notes', version: 1, from: [fines, notes], table: FineRow })
  .on(FineCreated, (row, e) => ({ id: e.stream.id, amount: e.data.amount, paid: row?.paid ?? '0' }))
  .on(FineNoted, { key: (e) => ({ id: e.stream.id }) }, (row, e) => row && { ...row, paid: e.data.text });
export const Ledger = projection({ name: 'ledger', version: 1, from: [fines], table: FineRow, deadLetters: { halt: true } });

/** The same with decorators: a handler may take fewer parameters and return less than it could. */
@Fine.Decider()
export class FineDecider {
  @Fine.Decide(ReceivePayment)
  receive(command: ReceivePayment, state: Readonly<FineState>) {
    return state.amount === null ? refuse('fine.closed') : [PaymentReceived({ amount: command.amount })];
  }

  @Fine.Decide(AddPenalty)
  penalise() {
    return [];
  }

  @Fine.Evolve(FineCreated)
  created(state: FineState, e: Recorded<typeof FineCreated>): FineState {
    return { ...state, amount: e.data.amount };
  }

  @Fine.Evolve(PaymentReceived)
  received(state: FineState, e: Recorded<typeof PaymentReceived>): FineState {
    return { ...state, paid: e.data.amount };
  }
}

@Fines.Handlers()
export class FinesHandlers {
  @Fines.On(FineCreated)
  created(row: FineRow | null): FineRow | null {
    return row;
  }

  @Fines.On(PaymentReceived, { key: (e) => ({ id: e.stream.id }) })
  received(row: FineRow | null, e: Recorded<typeof PaymentReceived>): FineRow | null {
    return row && { ...row, paid: e.data.amount };
  }
}

export const SendReceipts = policy({ name: 'send-receipts', from: [fines], startAt: 'beginning', onRefusal: 'ignore' });
/** A policy answers with a command, several or none, at once or later. */
export const sendReceipts = SendReceipts.on(PaymentReceived, (event) => new ReceivePayment(event.data.amount))
  .on(PaymentReceived, (event, inject) => {
    void inject(Tariffs).of(event.stream.id);
  })
  .on(FineCreated, async (event, inject) => [new ReceivePayment(await inject(Tariffs).of(event.stream.id))])
  .on(FineCreated, () => [])
  .on(FineCreated, (event) => (event.data.amount === '0' ? null : [new AddPenalty(), new ReceivePayment()]))
  .on(FineCreated, (event) => [
    { command: new AddPenalty(), options: { tenant: event.tenant, occurredAt: event.occurredAt } },
    new AddPenalty(),
  ]);

@SendReceipts.Handlers()
export class SendReceiptsHandlers {
  @SendReceipts.On(PaymentReceived)
  received(event: Recorded<typeof PaymentReceived>, inject: InjectService) {
    return [new ReceivePayment(`${event.data.amount} ${typeof inject}`)];
  }

  @SendReceipts.On(FineCreated)
  async created(): Promise<void> {
    await Promise.resolve();
  }
}
