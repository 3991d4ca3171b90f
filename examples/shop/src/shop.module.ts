import { Module } from '@nestjs/common';
import { KappaHealthModule, KappaModule, KappaRestModule } from 'nest-kappa';
import { OpenCarts } from './carts/open-carts.projection.js';
import { Mailer } from './confirmations/mailer.js';
import { definitions } from './definitions.js';
import { Checkout } from './orders/checkout.js';
import { Orders } from './orders/orders.projection.js';
import { Sales } from './orders/sales.projection.js';
import { ShopController } from './shop.controller.js';
import { Shoppers } from './simulation/shoppers.js';
import { PriceList } from './stock/price-list.js';
import { Products } from './stock/products.projection.js';

@Module({
  imports: [
    KappaModule.forFeature(definitions),
    KappaRestModule.forFeature([Products, OpenCarts, Orders, Sales], { path: 'api' }),
    KappaHealthModule.forRoot(),
  ],
  controllers: [ShopController],
  providers: [PriceList, Checkout, Shoppers, Mailer],
  exports: [Shoppers],
})
export class ShopModule {}
