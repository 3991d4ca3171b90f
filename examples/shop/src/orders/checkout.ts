import { Injectable } from '@nestjs/common';
import { Commands, InjectReader, Reader, refuse, type Position } from 'nest-kappa';
import { CheckOutCart } from '../carts/cart.js';
import { OpenCarts, type OpenCartRow } from '../carts/open-carts.projection.js';
import { TakeStock } from '../stock/product.js';
import { PlaceOrder } from './order.js';

/**
 * From cart to order. Each step's command id is made from the order, so that the whole may be tried again after a crash
 * without doing anything twice.
 */
@Injectable()
export class Checkout {
  constructor(
    private readonly commands: Commands,
    @InjectReader(OpenCarts) private readonly openCarts: Reader<OpenCartRow>,
  ) {}

  async checkOut(cartId: string, orderId: string, options: { readonly at?: Position } = {}): Promise<Position> {
    const cart = (await this.openCarts.get(cartId, options)) ?? refuse('cart.unknown', { cartId });
    for (const [line, { sku, quantity }] of cart.lines.entries()) {
      await this.commands.execute(new TakeStock(sku, quantity, orderId), {
        idempotencyKey: `${orderId}:${line}`,
        correlationId: orderId,
      });
    }
    const placed = await this.commands.execute(new PlaceOrder(orderId, cart.customerId, cart.lines), {
      idempotencyKey: orderId,
      correlationId: orderId,
    });
    await this.commands.execute(new CheckOutCart(cartId, orderId), { idempotencyKey: orderId, correlationId: orderId });
    return placed.position;
  }
}
