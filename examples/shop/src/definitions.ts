import { cart } from './carts/cart.js';
import { openCartsV1 } from './carts/open-carts.projection.js';
import { confirmOrders } from './confirmations/confirm-orders.policy.js';
import { CustomerDecider } from './customers/customer.js';
import { order } from './orders/order.js';
import { OrdersV1 } from './orders/orders.projection.js';
import { salesV1 } from './orders/sales.projection.js';
import { product } from './stock/product.js';
import { productsV1 } from './stock/products.projection.js';

/** What the shop declares: given to the module and to `kappa.config.ts`. */
export const definitions = {
  aggregates: [CustomerDecider, product, cart, order],
  projections: [productsV1, openCartsV1, OrdersV1, salesV1],
  policies: [confirmOrders],
};
