import { openKappa } from '../../../src/modules/kappa/open-kappa.js';
import { aggregates, sendReceipts } from './receipts.js';

/** A worker that runs the policy until it is killed. */
const kappa = await openKappa(
  { name: 'worker', database: { url: process.env['TEST_DATABASE'] ?? '' }, run: { policies: true } },
  { aggregates, policies: [sendReceipts] },
  { env: {} },
);
process.on('SIGTERM', () => {
  void kappa.stop().then(() => {
    process.send?.('stopped', () => process.disconnect());
  });
});
process.send?.('ready');
