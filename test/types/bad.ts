import { aggregate, event, policy, projection, topic, type, type Recorded } from 'nest-kappa';
import { Fine, FineCreated, FineRow, OrderPlaced, PaymentReceived, ReceivePayment, fines, type FineState } from './ok.js';

/** Mistakes that the compiler must find. A mistake that compiles makes its expectation an error by itself. */
class WithoutId {
  amount!: string;
}

const evolving = Fine.evolve({ 'fine.created': (s) => s, 'payment.received': (s) => s });
const Rows = projection({ name: 'fines', version: 1, from: [fines], table: FineRow });

// ---- the object form

// @ts-expect-error 1: a handler is missing
Fine.evolve({ 'fine.created': (s) => s });
// @ts-expect-error 2: a misspelt event name
Fine.evolve({ 'fine.created': (s) => s, 'payment.recieved': (s) => s });
// @ts-expect-error 3: a misspelt field of the payload
Fine.evolve({ 'fine.created': (s) => s, 'payment.received': (s, e) => ({ ...s, paid: e.data.amonut }) });
// @ts-expect-error 4: a wrong type in the state
Fine.evolve({ 'fine.created': (s) => s, 'payment.received': (s) => ({ ...s, paid: 5 }) });
// @ts-expect-error 5: a wrong type in the payload
evolving.decide(ReceivePayment, () => [PaymentReceived({ amount: 5 })]);
// @ts-expect-error 6: an event of another topic, though of the same shape
evolving.decide(ReceivePayment, () => [OrderPlaced({ amount: '5' })]);
// @ts-expect-error 7: a misspelt field of the command
evolving.decide(ReceivePayment, (c) => [PaymentReceived({ amount: c.amuont })]);
// @ts-expect-error 8: a command that does not name the stream
evolving.decide(WithoutId, () => []);
// @ts-expect-error 9: an asynchronous decide
evolving.decide(ReceivePayment, async () => []);
// @ts-expect-error 10: a state that is changed in place
evolving.decide(ReceivePayment, (c, s) => ((s.paid = '1'), []));
evolving.decide(
  ReceivePayment,
  async () => 1,
  // @ts-expect-error 11: facts of another type than prepare returns
  (c, s, { facts }) => [PaymentReceived({ amount: facts })],
);
// @ts-expect-error 12: not a list of events
evolving.decide(ReceivePayment, () => ({ type: 'payment.received' }));
// @ts-expect-error 13: an event that is in none of the topics
Rows.on(OrderPlaced, (row) => row);
// @ts-expect-error 14: an unknown column
Rows.on(PaymentReceived, (row) => row && { ...row, payd: '1' });
// @ts-expect-error 15: a column of the wrong type
Rows.on(PaymentReceived, (row) => row && { ...row, paid: 1 });
// @ts-expect-error 16: missing columns
Rows.on(FineCreated, (row, e) => ({ id: e.stream.id }));
// @ts-expect-error 17: a forgotten return
Rows.on(FineCreated, (row) => {
  if (row) return row;
});
// @ts-expect-error 18: a row that may be null
Rows.on(PaymentReceived, (row) => ({ ...row, paid: '1' }));
// @ts-expect-error 19: an asynchronous fold
Rows.on(PaymentReceived, async (row) => row);
// @ts-expect-error 20: a key of another column
Rows.on(PaymentReceived, { key: () => ({ idd: '1' }) }, (row) => row);
Rows.on(PaymentReceived, (row) => {
  // @ts-expect-error 21: a row that is changed in place
  if (row) row.paid = '1';
  return row;
});
// @ts-expect-error 22: an upcaster with a wrong result
event('a', type<{ a: string }>()).next(type<{ b: number }>(), (old) => ({ b: old.a }));
// @ts-expect-error 23: an upcaster that reads what the version before did not have
event('a', type<{ a: string }>()).next(type<{ b: string }>(), (old) => ({ b: old.x }));
const initialState = () => ({ e: null as string | null });
// @ts-expect-error 24: a unique claim on what the state does not have
aggregate({ name: 'x', topic: fines, id: 'fineId', initialState, unique: { e: (s) => s.f } });
// @ts-expect-error 25: a string in place of an event
topic('t', { events: ['payment.received'] });
// @ts-expect-error 26: a foreign record read as an event that the topic does not declare
topic('t', { events: [FineCreated], decode: () => ({ event: OrderPlaced({ amount: '1' }) }) });
// @ts-expect-error 27: a foreign record read as data without an event
topic('t', { events: [FineCreated], decode: (record) => ({ amount: record.text() }) });

// ---- policies

const Receipts = policy({ name: 'receipts', from: [fines] });
// @ts-expect-error P1: no name
policy({ from: [fines] });
// @ts-expect-error P2: another start
policy({ name: 'receipts', from: [fines], startAt: 'begin' });
// @ts-expect-error P3: an event that is in none of the topics
Receipts.on(OrderPlaced, () => []);
// @ts-expect-error P4: a misspelt field of the payload
Receipts.on(PaymentReceived, (e) => [new ReceivePayment(e.data.amonut)]);
// @ts-expect-error P5: an event in place of a command
Receipts.on(PaymentReceived, (e) => [PaymentReceived({ amount: e.data.amount })]);
// @ts-expect-error P6: a command's class in place of a command
Receipts.on(PaymentReceived, () => ReceivePayment);
// @ts-expect-error P7: a text
Receipts.on(PaymentReceived, async (e) => e.data.amount);
// @ts-expect-error P8: an option that the policy gives
Receipts.on(PaymentReceived, () => [{ command: new ReceivePayment(), options: { idempotencyKey: '1' } }]);
// @ts-expect-error P9: an event that is changed in place
Receipts.on(PaymentReceived, (e) => void (e.data.amount = '1'));
// @ts-expect-error P10: an event type by its name
Receipts.on('payment.received', () => []);

export class DecoratedPolicy {
  // @ts-expect-error P11: an event of another topic
  @Receipts.On(OrderPlaced)
  a(_: Recorded<typeof OrderPlaced>): void {}

  // @ts-expect-error P12: a parameter of another event
  @Receipts.On(FineCreated)
  b(_: Recorded<typeof OrderPlaced>): void {}

  // @ts-expect-error P13: an event in place of a command
  @Receipts.On(FineCreated)
  c() {
    return [FineCreated({ amount: '1' })];
  }
}

// ---- decorators

export class Decorated {
  // @ts-expect-error D1: an event of another topic
  @Fine.Evolve(OrderPlaced)
  a(s: FineState, e: Recorded<typeof OrderPlaced>): FineState {
    return s;
  }

  // @ts-expect-error D2: the parameter is another event
  @Fine.Evolve(PaymentReceived)
  b(s: FineState, e: Recorded<typeof FineCreated>): FineState {
    return s;
  }

  // @ts-expect-error D3: the result is no state
  @Fine.Evolve(PaymentReceived)
  c(s: FineState, e: Recorded<typeof PaymentReceived>) {
    return { paid: 1 };
  }

  // @ts-expect-error D4: the parameter is no state
  @Fine.Evolve(PaymentReceived)
  d(s: { x: number }): FineState {
    return { amount: null, paid: String(s.x) };
  }

  // @ts-expect-error D5: decides an event of another topic
  @Fine.Decide(ReceivePayment)
  e(c: ReceivePayment, s: FineState) {
    return [OrderPlaced({ amount: '1' })];
  }

  // @ts-expect-error D6: the parameter is another command
  @Fine.Decide(ReceivePayment)
  f(c: { fineId: number }) {
    return [];
  }

  // @ts-expect-error D7: a command that does not name the stream
  @Fine.Decide(WithoutId)
  g(c: WithoutId) {
    return [];
  }

  // @ts-expect-error D8: an asynchronous decide
  @Fine.Decide(ReceivePayment)
  async h(c: ReceivePayment) {
    return [];
  }

  // @ts-expect-error D9: an event that is in none of the topics
  @Rows.On(OrderPlaced)
  i(row: FineRow | null): FineRow | null {
    return row;
  }

  // @ts-expect-error D10: the parameter is another event
  @Rows.On(PaymentReceived)
  j(row: FineRow | null, e: Recorded<typeof FineCreated>): FineRow | null {
    return row;
  }

  // @ts-expect-error D11: a row that may be null
  @Rows.On(PaymentReceived)
  k(row: FineRow): FineRow {
    return row;
  }

  // @ts-expect-error D12: missing columns
  @Rows.On(PaymentReceived)
  l(row: FineRow | null) {
    return { id: '1' };
  }

  @Rows.On(PaymentReceived)
  m(row: FineRow | null): FineRow | null {
    // @ts-expect-error D13: an unknown column of the wrong kind under an annotated result
    return row && { ...row, payd: 1 };
  }

  // @ts-expect-error D14: an unknown column where the result is inferred
  @Rows.On(PaymentReceived)
  n(row: FineRow | null) {
    return row && { ...row, payd: 1 };
  }

  // @ts-expect-error D15: an asynchronous fold
  @Rows.On(PaymentReceived)
  async o(row: FineRow | null) {
    return row;
  }

  // @ts-expect-error D16: undefined in place of null
  @Rows.On(PaymentReceived)
  p(row: FineRow | null) {
    if (row) return row;
    return;
  }

  /** Not seen: a parameter annotated as mutable may be mutated. Rows are frozen outside production instead. */
  @Rows.On(PaymentReceived)
  q(row: FineRow | null) {
    if (row) row.paid = '1';
    return row;
  }
}
