import { aggregate, event, refuse, topic, type } from 'nest-kappa';

export const CartOpened = event('cart.opened', type<{ customerId: string }>());
export const ItemAdded = event('cart.item-added', type<{ sku: string; quantity: number }>());
export const CartCheckedOut = event('cart.checked-out', type<{ orderId: string }>());
export const carts = topic('carts', { partitions: 4, events: [CartOpened, ItemAdded, CartCheckedOut] });

export class OpenCart {
  constructor(
    readonly cartId: string,
    readonly customerId: string,
  ) {}
}

export class AddItem {
  constructor(
    readonly cartId: string,
    readonly sku: string,
    readonly quantity: number,
  ) {}
}

export class CheckOutCart {
  constructor(
    readonly cartId: string,
    readonly orderId: string,
  ) {}
}

export interface CartState {
  readonly state: 'none' | 'open' | 'checked-out';
  readonly items: number;
}

export const cart = aggregate({
  name: 'cart',
  topic: carts,
  id: 'cartId',
  initialState: (): CartState => ({ state: 'none', items: 0 }),
})
  .evolve({
    'cart.opened': (state) => ({ ...state, state: 'open' }),
    'cart.item-added': (state, { data }) => ({ ...state, items: state.items + data.quantity }),
    'cart.checked-out': (state) => ({ ...state, state: 'checked-out' }),
  })
  .decide(OpenCart, ({ customerId }, { state }) => (state === 'none' ? [CartOpened({ customerId })] : refuse('cart.exists')))
  .decide(AddItem, ({ sku, quantity }, { state }) =>
    state === 'open' ? [ItemAdded({ sku, quantity })] : refuse('cart.not-open', { state }),
  )
  .decide(CheckOutCart, ({ orderId }, { state, items }) =>
    state === 'open' && items > 0 ? [CartCheckedOut({ orderId })] : refuse('cart.not-open', { state }),
  );
