import { policy, type InjectService, type Recorded } from '../../../src/index.js';
import { fines, PaymentReceived, SendReceipt } from './receipts.js';

const Decorated = policy({ name: 'decorated', from: [fines], startAt: 'beginning' });

/** The decorator form. */
@Decorated.Handlers()
export class ReceiptPolicy {
  readonly #origin = 'from a class';

  @Decorated.On(PaymentReceived)
  received(event: Recorded<typeof PaymentReceived>, _inject: InjectService) {
    return [new SendReceipt(event.stream.id, `${this.#origin}: ${event.data.cents}`)];
  }
}
