import { IsEmail, IsNotEmpty, IsString } from 'class-validator';
import { aggregate, event, refuse, topic, type Recorded } from 'nest-kappa';

export class CustomerRegisteredData {
  @IsEmail() email!: string;
  @IsString() @IsNotEmpty() name!: string;
}

export const CustomerRegistered = event('customer.registered', CustomerRegisteredData);
export const customers = topic('customers', { partitions: 4, events: [CustomerRegistered] });

export interface CustomerState {
  readonly email: string | null;
}

export class RegisterCustomer {
  @IsString() @IsNotEmpty() customerId: string;
  @IsEmail() email: string;
  @IsString() @IsNotEmpty() name: string;
  constructor(customerId: string, email: string, name: string) {
    this.customerId = customerId;
    this.email = email;
    this.name = name;
  }
}

export const Customer = aggregate({
  name: 'customer',
  topic: customers,
  id: 'customerId',
  initialState: (): CustomerState => ({ email: null }),
  // No two customers share an address, whichever process registers them.
  unique: { 'customer.email': (state) => state.email },
});

/** The decorator form: the same definition, hung on a class. */
@Customer.Decider()
export class CustomerDecider {
  @Customer.Decide(RegisterCustomer)
  register(command: RegisterCustomer, state: CustomerState) {
    if (state.email !== null) refuse('customer.exists');
    return [CustomerRegistered({ email: command.email.toLowerCase(), name: command.name })];
  }

  @Customer.Evolve(CustomerRegistered)
  registered(_: CustomerState, event: Recorded<typeof CustomerRegistered>): CustomerState {
    return { email: event.data.email };
  }
}
