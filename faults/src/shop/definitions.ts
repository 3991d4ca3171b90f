import type { KappaDefinitions } from 'nest-kappa';
import { cart } from './cart.js';
import { customer } from './customer.js';
import { openCarts } from './open-carts.js';
import { order } from './order.js';
import { product } from './product.js';
import { sales } from './sales.js';
import { shelves } from './shelves.js';

export const TOPICS = ['customers', 'carts', 'orders', 'stock'] as const;
export const PROJECTIONS = ['open_carts', 'sales', 'shelves'] as const;
export type ProjectionName = (typeof PROJECTIONS)[number];

/** Two versions of each projection, in every process: a rebuild goes from the one to the other and back. */
export const VERSIONS = [1, 2] as const;

export const aggregates: NonNullable<KappaDefinitions['aggregates']> = [customer, cart, order, product];
export const projections: NonNullable<KappaDefinitions['projections']> = VERSIONS.flatMap((version) => [
  openCarts(version),
  sales(version),
  shelves(version),
]);
