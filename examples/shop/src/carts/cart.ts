import { IsInt, IsNotEmpty, IsString, Max, Min } from 'class-validator';
import { aggregate, event, refuse, topic, type } from 'nest-kappa';
import { PriceList } from '../stock/price-list.js';

export interface CartLine {
  readonly sku: string;
  readonly quantity: number;
  readonly cents: number;
}

export const CartOpened = event('cart.opened', type<{ customerId: string }>());
export const ItemAdded = event('cart.item-added', type<{ sku: string; quantity: number; price: number }>())
  // Version 1 had a price in euros; it is still in the log and is read as cents.
  .next(type<CartLine>(), ({ sku, quantity, price }) => ({ sku, quantity, cents: Math.round(price * 100) }));
export const CartCheckedOut = event('cart.checked-out', type<{ orderId: string }>());
export const carts = topic('carts', { partitions: 4, events: [CartOpened, ItemAdded, CartCheckedOut] });

class CartCommand {
  @IsString() @IsNotEmpty() cartId: string;
  constructor(cartId: string) {
    this.cartId = cartId;
  }
}

export class OpenCart extends CartCommand {
  @IsString() @IsNotEmpty() customerId: string;
  constructor(cartId: string, customerId: string) {
    super(cartId);
    this.customerId = customerId;
  }
}

export class AddItem extends CartCommand {
  @IsString() @IsNotEmpty() sku: string;
  @IsInt() @Min(1) @Max(99) quantity: number;
  constructor(cartId: string, sku: string, quantity: number) {
    super(cartId);
    this.sku = sku;
    this.quantity = quantity;
  }
}

export class CheckOutCart extends CartCommand {
  @IsString() @IsNotEmpty() orderId: string;
  constructor(cartId: string, orderId: string) {
    super(cartId);
    this.orderId = orderId;
  }
}

export interface CartState {
  readonly customerId: string | null;
  readonly lines: readonly CartLine[];
  readonly orderId: string | null;
}

export const Cart = aggregate({
  name: 'cart',
  topic: carts,
  id: 'cartId',
  initialState: (): CartState => ({ customerId: null, lines: [], orderId: null }),
});

const open = (state: CartState): void => {
  if (state.customerId === null) refuse('cart.unknown');
  if (state.orderId !== null) refuse('cart.checked-out', { orderId: state.orderId });
};

export const cart = Cart.evolve({
  'cart.opened': (state, event) => ({ ...state, customerId: event.data.customerId }),
  'cart.item-added': (state, event) => ({ ...state, lines: [...state.lines, event.data] }),
  'cart.checked-out': (state, event) => ({ ...state, orderId: event.data.orderId }),
})
  .decide(OpenCart, ({ customerId }, state) =>
    state.customerId === null ? [CartOpened({ customerId })] : refuse('cart.exists'),
  )
  .decide(
    AddItem,
    // I/O first …
    async ({ sku }, _, inject) => inject(PriceList).of(sku),
    // … then a pure decision with what it found.
    ({ sku, quantity }, state, { facts: cents }) => {
      open(state);
      return [ItemAdded({ sku, quantity, cents })];
    },
  )
  .decide(CheckOutCart, ({ orderId }, state) => {
    open(state);
    return state.lines.length > 0 ? [CartCheckedOut({ orderId })] : refuse('cart.empty');
  });
