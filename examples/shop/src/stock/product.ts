import { IsInt, IsNotEmpty, IsString, Min } from 'class-validator';
import { aggregate, event, refuse, topic, type } from 'nest-kappa';

export const ProductListed = event('product.listed', type<{ name: string; cents: number }>());
export const StockReceived = event('stock.received', type<{ quantity: number }>());
export const StockTaken = event('stock.taken', type<{ quantity: number; orderId: string }>());
export const stock = topic('stock', { partitions: 4, events: [ProductListed, StockReceived, StockTaken] });

export class ListProduct {
  @IsString() @IsNotEmpty() sku: string;
  @IsString() @IsNotEmpty() name: string;
  @IsInt() @Min(1) cents: number;
  constructor(sku: string, name: string, cents: number) {
    this.sku = sku;
    this.name = name;
    this.cents = cents;
  }
}

export class ReceiveStock {
  @IsString() @IsNotEmpty() sku: string;
  @IsInt() @Min(1) quantity: number;
  constructor(sku: string, quantity: number) {
    this.sku = sku;
    this.quantity = quantity;
  }
}

export class TakeStock {
  @IsString() @IsNotEmpty() sku: string;
  @IsInt() @Min(1) quantity: number;
  @IsString() @IsNotEmpty() orderId: string;
  constructor(sku: string, quantity: number, orderId: string) {
    this.sku = sku;
    this.quantity = quantity;
    this.orderId = orderId;
  }
}

export interface ProductState {
  readonly listed: boolean;
  readonly inStock: number;
}

export const Product = aggregate({
  name: 'product',
  topic: stock,
  id: 'sku',
  initialState: (): ProductState => ({ listed: false, inStock: 0 }),
});

export const product = Product.evolve({
  'product.listed': (state) => ({ ...state, listed: true }),
  'stock.received': (state, event) => ({ ...state, inStock: state.inStock + event.data.quantity }),
  'stock.taken': (state, event) => ({ ...state, inStock: state.inStock - event.data.quantity }),
})
  .decide(ListProduct, ({ name, cents }) => [ProductListed({ name, cents })])
  .decide(ReceiveStock, ({ quantity }, state) => (state.listed ? [StockReceived({ quantity })] : refuse('product.unknown')))
  .decide(TakeStock, ({ quantity, orderId }, state) =>
    state.inStock >= quantity
      ? [StockTaken({ quantity, orderId })]
      : refuse('stock.short', { inStock: state.inStock, quantity }),
  );
