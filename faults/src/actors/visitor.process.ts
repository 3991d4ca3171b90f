import { setTimeout as pause } from 'node:timers/promises';
import { Random } from '../random.js';
import { act } from './actor.js';
import { openApplication } from './application.js';

/** Joins the replicas and leaves them again, as often as it is told: each time partitions change hands twice. */
await act(async (part) => {
  const random = new Random(part.seed, part.name, part.incarnation);
  let visit: Promise<void> | null = null;
  const comeAndGo = async (times: number): Promise<void> => {
    for (let time = 0; time < times; time += 1) {
      const application = await openApplication(part, { projections: true, relay: true });
      await pause(random.between(50, 600));
      await application.close();
    }
  };
  return {
    comeAndGo: (times) => (visit = comeAndGo(times)),
    finish: async () => visit ?? undefined,
  };
});
