import type { Logger } from '../../kernel/logger.js';
import type { RawLogger } from './wire/kafkajs.js';

/**
 * What kafkajs's connections say. They call an error whatever fails, expected retries included; here all of it is of interest
 * only to whoever looks for a cause, for what matters is thrown or said by the driver itself.
 */
export function clientLogger(logger: Logger): RawLogger {
  const say = (message: string) => logger.debug?.(`kafkajs: ${message}`);
  const own: RawLogger = {
    namespace: () => own,
    error: say,
    warn: say,
    info: say,
    // Each request and answer.
    debug: () => undefined,
  };
  return own;
}
