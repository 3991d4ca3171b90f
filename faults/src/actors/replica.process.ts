import { act } from './actor.js';
import { openApplication } from './application.js';

/** Projects, beside others that do the same. */
await act(async (part) => {
  const application = await openApplication(part, { projections: true });
  return { finish: () => application.close() };
});
