import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Commands, KappaError, Refusal, RetriableError, UnknownOutcomeError, WrongExpectedVersionError } from 'nest-kappa';
import { machineTime } from '../clock.js';
import { Random } from '../random.js';
import { act, problem } from './actor.js';
import { openApplication } from './application.js';
import { Journal } from './journal.js';
import { wishes, type Wish } from './shoppers.js';

const SHOPPERS = 6;
/** Two cores carry all processes of a run: writers leave room for what they test. */
const THINK_MS = [15, 60] as const;

/** Sends commands for several shoppers at once and notes what became of each, before anything else is done. */
await act(async (part) => {
  const journal = await Journal.open(path.join(part.folder, `${part.name}.${part.incarnation}.journal`));
  const application = await openApplication(part, { commands: true });
  const commands = application.get(Commands, { strict: false });
  let finishing = false;

  const fulfil = async ({ id, stream, command, events }: Wish, random: Random): Promise<void> => {
    const triedAt = machineTime();
    await journal.write({ t: 'tried', id, stream, events, at: triedAt });
    let unknown: string | null = null;
    for (;;) {
      try {
        const result = await commands.execute(command, { idempotencyKey: id });
        await journal.write({
          t: 'acknowledged',
          id,
          stream,
          first: result.version - result.events.length + 1,
          last: result.version,
          eventIds: result.events.map((event) => event.id),
          position: result.position,
          triedAt,
          at: machineTime(),
        });
        return;
      } catch (error) {
        if (!(error instanceof KappaError)) throw error;
        if (error instanceof UnknownOutcomeError) unknown = error.code;
        const again = error instanceof RetriableError || error instanceof UnknownOutcomeError;
        // Some give up, as users do.
        if (again && !finishing && random.chance(0.8)) {
          await pause(random.between(50, 400));
          continue;
        }
        const certain = unknown === null && (again || isRefusal(error));
        if (!again && !isRefusal(error)) await problem(error);
        await journal.write({ t: certain ? 'refused' : 'unknown', id, code: unknown ?? error.code, at: machineTime() });
        return;
      }
    }
  };

  const shop = async (name: string): Promise<void> => {
    const random = new Random(part.seed, name);
    for (const wish of wishes(name, random)) {
      if (finishing) return;
      try {
        await fulfil(wish, random);
      } catch (error) {
        await problem(error);
      }
      await pause(random.between(...THINK_MS));
    }
  };

  const work = Promise.all(Array.from({ length: SHOPPERS }, (_, index) => shop(`${part.name}.${part.incarnation}.${index}`)));
  return {
    finish: async () => {
      finishing = true;
      await work;
      await application.close();
      await journal.close();
    },
  };
});

/** A rule of the shop said no, somebody else has the address, or too many were at one stream at once. */
function isRefusal(error: KappaError): boolean {
  return error instanceof Refusal || error instanceof WrongExpectedVersionError || error.code === 'KAPPA_VALUE_TAKEN';
}
