import { startKafka } from '../../../src/testing/kafka/start-kafka.js';

/** A process that starts a broker, tells its number when it is asked, and never stops it. */
const kafka = await startKafka({ from: ['java'] });
process.on('message', (wanted) => {
  if (wanted === 'pid') process.send?.(kafka.pids[0]);
  // Nothing holds the process any more: neither its parent nor the broker.
  else process.disconnect();
});
process.send?.('ready');
