import { policy } from 'nest-kappa';
import { ConfirmOrder, OrderPaid, orders } from '../orders/order.js';
import { Mailer } from './mailer.js';

/** Confirms orders to customers once they are paid: from now on, not those of the past. */
export const ConfirmOrders = policy({ name: 'confirm-orders', from: [orders], startAt: 'end' });

/**
 * The mail may be handed over twice when the process dies in between, and bears the event's id so that the provider sends it once;
 * the command takes effect once by itself.
 */
export const confirmOrders = ConfirmOrders.on(OrderPaid, async (event, inject) => {
  const orderId = event.stream.id;
  await inject(Mailer).send({ id: event.id, orderId, subject: `Thank you: order ${orderId} is paid` });
  return new ConfirmOrder(orderId, event.id);
});
