import type { Random } from '../random.js';
import { AddItem, CheckOutCart, OpenCart } from '../shop/cart.js';
import { ChangeEmail, RegisterCustomer } from '../shop/customer.js';
import { PayOrder, PlaceOrder } from '../shop/order.js';
import { ReceiveStock, SKUS, TakeStock } from '../shop/product.js';

/** A command with the id under which it takes effect once, and what the check needs to know of it. */
export interface Wish {
  readonly id: string;
  readonly stream: string;
  readonly command: object;
  readonly events: number;
}

/** Few enough that two shoppers often want the same. */
const EMAILS = 60;
const DELIVERIES = 400;

/** What one shopper wants next, for ever. `name` makes its streams and ids its own. */
export function* wishes(name: string, random: Random): Generator<Wish, never> {
  for (let trip = 1; ; trip += 1) {
    const own = `${name}.${trip}`;
    const kind = random.next();
    if (kind < 0.2) yield* customer(own, random);
    else if (kind < 0.45) yield delivery(random);
    else yield* shopping(own, random);
  }
}

function* shopping(own: string, random: Random): Generator<Wish, void> {
  const lines = Array.from({ length: random.between(1, 3) }, () => ({
    sku: random.pick(SKUS),
    quantity: random.between(1, 3),
  }));
  const day = `2026-01-${String(random.between(1, 9)).padStart(2, '0')}`;
  const cart = `/cart/${own}`;
  yield { id: `${own}.open`, stream: cart, command: new OpenCart(own, `customer-${own}`), events: 1 };
  for (const [index, { sku, quantity }] of lines.entries())
    yield { id: `${own}.add.${index}`, stream: cart, command: new AddItem(own, sku, quantity), events: 1 };
  // Some carts stay open.
  if (random.chance(0.3)) return;
  for (const [index, { sku, quantity }] of lines.entries())
    yield { id: `${own}.take.${index}`, stream: `/product/${sku}`, command: new TakeStock(sku, quantity, own), events: 1 };
  yield { id: `${own}.place`, stream: `/order/${own}`, command: new PlaceOrder(own, day, lines), events: 2 };
  yield { id: `${own}.checkout`, stream: cart, command: new CheckOutCart(own, own), events: 1 };
  yield { id: `${own}.pay`, stream: `/order/${own}`, command: new PayOrder(own), events: 1 };
}

function* customer(own: string, random: Random): Generator<Wish, void> {
  const email = (): string => `customer-${random.between(1, EMAILS)}@example.com`;
  const stream = `/customer/${own}`;
  yield { id: `${own}.register`, stream, command: new RegisterCustomer(own, email()), events: 1 };
  yield { id: `${own}.email`, stream, command: new ChangeEmail(own, email()), events: 1 };
}

/** The same delivery is told of by many, under one id, also at the same moment in two processes: it arrives once. */
function delivery(random: Random): Wish {
  const number = random.between(1, DELIVERIES);
  const sku = SKUS[number % SKUS.length] ?? SKUS[0];
  return {
    id: `delivery.${number}`,
    stream: `/product/${sku}`,
    command: new ReceiveStock(sku, 10 + (number % 7)),
    events: 1,
  };
}
