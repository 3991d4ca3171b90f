import { setTimeout as wait } from 'node:timers/promises';
import { Injectable, Logger } from '@nestjs/common';
import { Commands, KappaError, Refusal, type CommandResult, type ExecuteOptions } from 'nest-kappa';
import { AddItem, OpenCart } from '../carts/cart.js';
import { RegisterCustomer } from '../customers/customer.js';
import { Checkout } from '../orders/checkout.js';
import { PayOrder, ShipOrder } from '../orders/order.js';
import { ListProduct, ReceiveStock } from '../stock/product.js';
import { seeded } from './random.js';

export interface SimulationOptions {
  readonly seed: number;
  /** Commands a second. */
  readonly rate: number;
}

const PRODUCTS = ['tea', 'coffee', 'bread', 'butter', 'honey', 'apples', 'pears', 'cheese', 'olives', 'rice', 'salt', 'soap'];
const CUSTOMERS = 20;

/** Shoppers who open carts, fill them, and buy or walk away: the same seed makes the same choices. */
@Injectable()
export class Shoppers {
  readonly #logger = new Logger('Shoppers');
  readonly #stopping = new AbortController();
  #running: Promise<void> = Promise.resolve();

  constructor(
    private readonly commands: Commands,
    private readonly checkout: Checkout,
  ) {}

  start(options: SimulationOptions): void {
    this.#running = this.#run(options, this.#stopping.signal);
  }

  /** Ends after the command under way. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run({ seed, rate }: SimulationOptions, signal: AbortSignal): Promise<void> {
    const random = seeded(seed);
    const run = Date.now().toString(36);
    const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
    const send = async (command: object, options: ExecuteOptions = {}): Promise<CommandResult> => {
      await wait(1_000 / rate, undefined, { signal });
      return this.commands.execute(command, options);
    };
    for (let visit = 0; !signal.aborted; visit += 1) {
      try {
        if (visit === 0) await this.#openShop(send);
        const cartId = `cart-${run}-${visit}`;
        await send(new OpenCart(cartId, `customer-${Math.floor(random() * CUSTOMERS)}`));
        let filled: CommandResult | null = null;
        for (const sku of new Set(Array.from({ length: 1 + Math.floor(random() * 3) }, () => pick(PRODUCTS)))) {
          filled = await send(new AddItem(cartId, sku, 1 + Math.floor(random() * 3)));
        }
        if (!filled || random() < 0.3) continue;
        const orderId = `order-${run}-${visit}`;
        await this.checkout.checkOut(cartId, orderId, { at: filled.position });
        if (random() < 0.9) await send(new PayOrder(orderId));
        if (random() < 0.5) await send(new ShipOrder(orderId));
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof Refusal && error.code === 'stock.short') await this.#restock(send);
        else if (!(error instanceof Refusal)) await this.#rest(error, signal);
      }
    }
  }

  /** The same ids at every start: what was done before is not done again. */
  async #openShop(send: (command: object, options?: ExecuteOptions) => Promise<CommandResult>): Promise<void> {
    for (const [index, sku] of PRODUCTS.entries()) {
      await send(new ListProduct(sku, `Finest ${sku}`, 195 + index * 60), { idempotencyKey: 'opening' });
      await send(new ReceiveStock(sku, 1_000), { idempotencyKey: 'opening-stock' });
    }
    for (let index = 0; index < CUSTOMERS; index += 1) {
      const id = `customer-${index}`;
      await send(new RegisterCustomer(id, `${id}@example.org`, `Customer ${index}`), { idempotencyKey: 'opening' });
    }
  }

  async #restock(send: (command: object) => Promise<CommandResult>): Promise<void> {
    for (const sku of PRODUCTS) await send(new ReceiveStock(sku, 500));
  }

  async #rest(error: unknown, signal: AbortSignal): Promise<void> {
    this.#logger.warn(error instanceof KappaError ? error.message : String(error));
    await wait(1_000, undefined, { signal }).catch(() => undefined);
  }
}
