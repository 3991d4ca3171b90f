import { aggregate, event, refuse, topic, type } from 'nest-kappa';

export const CustomerRegistered = event('customer.registered', type<{ email: string }>());
export const EmailChanged = event('customer.email-changed', type<{ email: string }>());
export const customers = topic('customers', { partitions: 2, events: [CustomerRegistered, EmailChanged] });

export class RegisterCustomer {
  constructor(
    readonly customerId: string,
    readonly email: string,
  ) {}
}

export class ChangeEmail {
  constructor(
    readonly customerId: string,
    readonly email: string,
  ) {}
}

export interface CustomerState {
  readonly email: string | null;
}

/** No two customers share an address: writers of all processes race for the same few. */
export const customer = aggregate({
  name: 'customer',
  topic: customers,
  id: 'customerId',
  initialState: (): CustomerState => ({ email: null }),
  unique: { 'customer.email': (state) => state.email },
})
  .evolve({
    'customer.registered': (_, { data }) => ({ email: data.email }),
    'customer.email-changed': (_, { data }) => ({ email: data.email }),
  })
  .decide(RegisterCustomer, ({ email }, state) =>
    state.email === null ? [CustomerRegistered({ email })] : refuse('customer.exists'),
  )
  .decide(ChangeEmail, ({ email }, state) => (state.email === null ? refuse('customer.unknown') : [EmailChanged({ email })]));
