import { setClock } from '../clock.js';
import { PART, type Order, type Part, type Word } from './messages.js';

/** What a process of a run does beside what all do. */
export interface Acting {
  /** Ends the work and closes all; the process ends after it. */
  finish(): Promise<void>;
  comeAndGo?(times: number): Promise<void>;
}

/** Plays a part: starts, obeys, and ends when it is told to or when the run is gone. */
export async function act(start: (part: Part) => Promise<Acting>): Promise<void> {
  process.once('disconnect', () => process.exit(1));
  const part = JSON.parse(process.env[PART] ?? '{}') as Part;
  const acting = await start(part);
  process.on('message', (order: Order) => void obey(acting, order).catch(problem));
  await say({ said: 'ready' });
}

async function obey(acting: Acting, order: Order): Promise<void> {
  switch (order.do) {
    case 'clock':
      setClock(order.aheadMs);
      break;
    case 'come-and-go':
      // It is gone however it went: the strike waits for that word.
      await (acting.comeAndGo?.(order.times) ?? Promise.resolve()).finally(() => say({ said: 'gone' }));
      break;
    case 'finish':
      await acting.finish();
      process.exit(0);
  }
}

/** Tells the run of what no fault excuses. */
export async function problem(error: unknown): Promise<void> {
  await say({ said: 'problem', text: error instanceof Error ? (error.stack ?? error.message) : String(error) });
}

/**
 * Whether a fault that the run brings about explains an error: ours say so themselves, PostgreSQL's and Node's carry a code, and
 * `pg` says in words that a connection ended.
 */
export function isExcused(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if ('code' in error && typeof error.code === 'string') return true;
  return /connection|timeout/i.test(error.message);
}

async function say(word: Word): Promise<void> {
  await new Promise<void>((resolve) => {
    if (!process.send || !process.connected) resolve();
    else process.send(word, () => resolve());
  });
}
