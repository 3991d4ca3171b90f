import { act } from './actor.js';
import { openApplication } from './application.js';

/** Projects, and relays where Kafka carries the log, beside others that do the same. */
await act(async (part) => {
  const application = await openApplication(part, { projections: true, relay: true });
  return { finish: () => application.close() };
});
