import { AssertionError } from 'node:assert';
import { describe, expect, it } from 'vitest';
import { event, policy, topic, type } from 'nest-kappa';
import { react, recorded } from 'nest-kappa/testing';
import { ReceiptPolicy } from '../policies/support/receipt-policy.js';
import { PaymentReceived as Payment, SendReceipt } from '../policies/support/receipts.js';

const FineCreated = event('fine.created', type<{ amount: string }>());
const PaymentReceived = event('payment.received', type<{ amount: string }>());
const OrderPlaced = event('order.placed', type<{ amount: string }>());
const fines = topic('fines', { events: [FineCreated, PaymentReceived] });

class ReceivePayment {
  constructor(readonly fineId: string) {}
}

class Tariffs {
  of(_fineId: string): Promise<string> {
    return Promise.resolve('1.00');
  }
}

const Penalties = policy({ name: 'penalties', from: [fines] });
const penalties = Penalties.on(PaymentReceived, (e) => [new ReceivePayment(e.data.amount)]).on(
  FineCreated,
  async (e, inject) => {
    const found = await inject(Tariffs).of(e.stream.id);
    return found === '0' ? [] : { command: new ReceivePayment(found), options: { tenant: 'acme' } };
  },
);
const tariff = (value: string) => new Map([[Tariffs, { of: () => Promise.resolve(value) }]]);

describe('react', () => {
  it('holds where the policy answers with exactly these commands', async () => {
    await react(penalties, PaymentReceived({ amount: '5' })).then(new ReceivePayment('5'));
    await expect(react(penalties, PaymentReceived({ amount: '5' })).then(new ReceivePayment('6'))).rejects.toThrow(
      AssertionError,
    );
    await expect(react(penalties, PaymentReceived({ amount: '5' })).thenNothing()).rejects.toThrow(AssertionError);
  });

  it('gives handlers their services, and says which is missing', async () => {
    const event = recorded('fine-17', FineCreated({ amount: '1' }));
    await react(penalties, event, { inject: tariff('9') }).then(new ReceivePayment('9'));
    await react(penalties, event, { inject: tariff('0') }).thenNothing();
    await expect(react(penalties, event).thenNothing()).rejects.toMatchObject({
      code: 'KAPPA_NOT_GIVEN',
      message: expect.stringContaining('policy penalties asks for Tariffs') as string,
    });
  });

  it('compares the options that a test names', async () => {
    const event = recorded('fine-17', FineCreated({ amount: '1' }));
    const reacted = react(penalties, event, { inject: tariff('9') });
    await reacted.then({ command: new ReceivePayment('9'), options: { tenant: 'acme' } });
    await expect(reacted.then({ command: new ReceivePayment('9'), options: { tenant: 'other' } })).rejects.toThrow(
      AssertionError,
    );
  });

  it('shows the id, the cause and the tenant that a command would be executed with', async () => {
    const event = recorded('fine-17', PaymentReceived({ amount: '5' }), { tenant: 'acme' });
    expect(await react(penalties, event).commands()).toMatchObject([
      {
        options: {
          idempotencyKey: 'penalties:event-1:ReceivePayment',
          causationId: 'event-1',
          correlationId: 'event-1',
          tenant: 'acme',
          principal: 'policy penalties',
        },
      },
    ]);
  });

  it('takes a decorated class', async () => {
    await react(ReceiptPolicy, Payment({ cents: 5 })).then(new SendReceipt('stream-1', 'from a class: 5'));
  });

  it('refuses an event of another topic, a class in place of a command, and to be awaited itself', async () => {
    await expect(react(penalties, OrderPlaced({ amount: '1' }) as never).thenNothing()).rejects.toMatchObject({
      code: 'KAPPA_UNKNOWN_EVENT_TYPE',
    });
    const reacted = react(penalties, PaymentReceived({ amount: '5' }));
    expect(() => reacted.then(ReceivePayment)).toThrow(/KAPPA_NOT_A_COMMAND/);
    // What `await reacted` comes to.
    await expect(Promise.resolve(reacted)).rejects.toMatchObject({ code: 'KAPPA_NOT_A_COMMAND' });
  });

  it('tells an answer that is no command', async () => {
    const wrong = Penalties.on(PaymentReceived, (() => 'a text') as never);
    await expect(react(wrong, PaymentReceived({ amount: '5' })).thenNothing()).rejects.toMatchObject({
      code: 'KAPPA_BAD_REACTION',
    });
  });
});
