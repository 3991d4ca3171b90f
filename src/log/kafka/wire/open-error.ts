import { KappaError } from '../../../kernel/errors.js';
import { BrokerAwayError } from './kafka-error.js';
import type { RawConnection, SASLOptions } from './kafkajs.js';

/** A connection that could not be opened. */
export interface Failed {
  readonly broker: string;
  readonly sasl: SASLOptions | null;
  readonly socket: RawConnection['socket'];
  /** Whether the other side had ended it before. */
  readonly ended: boolean;
}

/** What waiting does not mend, with the next step; anything else is a broker that is away. */
export function openError(error: unknown, { broker, sasl, socket, ended }: Failed): unknown {
  if (error instanceof KappaError || error instanceof BrokerAwayError) return error;
  if (error instanceof Error && 'code' in error && error.code !== undefined && error.code === socket?.authorizationError) {
    return new KappaError('KAPPA_KAFKA_CERTIFICATE', `the certificate of broker ${broker} is not trusted: ${error.message}`, {
      facts: { broker, reason: error.code },
      nextStep: 'Give the certificate of whoever signed it as ca in ssl of kafka(…), and name brokers as it names them.',
      cause: error,
    });
  }
  // kafkajs calls whatever happens during a login a failed one; a broker that refuses it says so before it ends the connection.
  if (sasl && !ended && error instanceof Error && /SASL/i.test(`${error.name} ${error.message}`)) {
    return new KappaError('KAPPA_KAFKA_LOGIN', `broker ${broker} refuses the login: ${error.message}`, {
      facts: { broker, mechanism: sasl.mechanism },
      nextStep: 'Correct sasl (mechanism, user name, password) in the options of the kafka log.',
      cause: error,
    });
  }
  return new BrokerAwayError(broker, false, { cause: error });
}
