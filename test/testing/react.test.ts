import { AssertionError } from 'node:assert';
import { describe, expect, it } from 'vitest';
import { policy } from 'nest-kappa';
import { react, recorded } from 'nest-kappa/testing';
import {
  FineCreated,
  fines,
  OrderPlaced,
  PaymentReceived,
  ReceivePayment,
  SendReceiptsHandlers,
  Tariffs,
} from '../types/ok.js';

const Penalties = policy({ name: 'penalties', from: [fines] });
const penalties = Penalties.on(PaymentReceived, (event) => [new ReceivePayment(event.data.amount)]).on(
  FineCreated,
  async (event, inject) => {
    const tariff = await inject(Tariffs).of(event.stream.id);
    return tariff === '0' ? [] : { command: new ReceivePayment(tariff), options: { tenant: 'acme' } };
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
    await react(SendReceiptsHandlers, PaymentReceived({ amount: '5' })).then(new ReceivePayment('5 function'));
  });

  it('refuses an event of another topic, a class in place of a command, and to be awaited itself', async () => {
    await expect(react(penalties, OrderPlaced({ amount: '1' }) as never).thenNothing()).rejects.toMatchObject({
      code: 'KAPPA_UNKNOWN_EVENT_TYPE',
    });
    const reacted = react(penalties, PaymentReceived({ amount: '5' }));
    expect(() => reacted.then(ReceivePayment)).toThrow(/KAPPA_NOT_A_COMMAND/);
    await expect((async () => reacted)()).rejects.toMatchObject({ code: 'KAPPA_NOT_A_COMMAND' });
  });

  it('tells an answer that is no command', async () => {
    const wrong = Penalties.on(PaymentReceived, (() => 'a text') as () => null);
    await expect(react(wrong, PaymentReceived({ amount: '5' })).thenNothing()).rejects.toMatchObject({
      code: 'KAPPA_BAD_REACTION',
    });
  });
});
