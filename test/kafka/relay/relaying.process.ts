import { startRelay } from './relay-on-kafka.js';

const { URL: url = '', BROKERS = '' } = process.env;

const say = (line: string): void => void process.stderr.write(`${line}\n`);
await startRelay(url, BROKERS.split(','), {
  logger: { log: () => undefined, warn: () => undefined, error: say },
  sessionTimeoutMs: 1_500,
});
process.send?.('ready');
