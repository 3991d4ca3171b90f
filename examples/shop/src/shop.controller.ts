import { randomUUID } from 'node:crypto';
import { Body, Controller, Param, Post, UseFilters } from '@nestjs/common';
import { Commands, formatPosition, KappaExceptionFilter, parsePosition, type CommandResult } from 'nest-kappa';
import { AddItem, OpenCart } from './carts/cart.js';
import { RegisterCustomer } from './customers/customer.js';
import { Checkout } from './orders/checkout.js';
import { PayOrder, ShipOrder } from './orders/order.js';
import { ListProduct, ReceiveStock } from './stock/product.js';

/** What a write answers: the new thing's id, and the position that a read can wait for: `GET /api/orders/<id>?at=<position>`. */
interface Written {
  readonly id: string;
  readonly position: string;
}

/** Writes. What is read is generated from the projections, under `/api`. */
@Controller()
@UseFilters(KappaExceptionFilter)
export class ShopController {
  constructor(
    private readonly commands: Commands,
    private readonly checkout: Checkout,
  ) {}

  @Post('customers')
  async register(@Body() body: { email: string; name: string }): Promise<Written> {
    const id = randomUUID();
    return written(id, await this.commands.execute(new RegisterCustomer(id, body.email, body.name)));
  }

  @Post('products')
  async list(@Body() body: { sku: string; name: string; cents: number; quantity: number }): Promise<Written> {
    await this.commands.execute(new ListProduct(body.sku, body.name, body.cents));
    return written(body.sku, await this.commands.execute(new ReceiveStock(body.sku, body.quantity)));
  }

  @Post('carts')
  async open(@Body() body: { customerId: string }): Promise<Written> {
    const id = randomUUID();
    return written(id, await this.commands.execute(new OpenCart(id, body.customerId)));
  }

  @Post('carts/:id/items')
  async add(@Param('id') id: string, @Body() body: { sku: string; quantity: number }): Promise<Written> {
    return written(id, await this.commands.execute(new AddItem(id, body.sku, body.quantity)));
  }

  @Post('carts/:id/checkout')
  async checkOut(@Param('id') id: string, @Body() body: { at?: string }): Promise<Written> {
    const orderId = randomUUID();
    const position = await this.checkout.checkOut(id, orderId, body?.at ? { at: parsePosition(body.at) } : {});
    return { id: orderId, position: formatPosition(position) };
  }

  @Post('orders/:id/payment')
  async pay(@Param('id') id: string): Promise<Written> {
    return written(id, await this.commands.execute(new PayOrder(id)));
  }

  @Post('orders/:id/shipment')
  async ship(@Param('id') id: string): Promise<Written> {
    return written(id, await this.commands.execute(new ShipOrder(id)));
  }
}

function written(id: string, result: CommandResult): Written {
  return { id, position: formatPosition(result.position) };
}
