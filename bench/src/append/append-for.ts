import { performance } from 'node:perf_hooks';
import { benchEvent, type AppendSide } from './side.js';
import type { Streams } from './streams.js';

export interface Load {
  readonly writers: number;
  /** Of one append. */
  readonly events: number;
}

let walks = 0;

/** Events a second over all writers, counted again in the table before they count. */
export async function appendFor(
  side: AppendSide,
  { writers, events }: Load,
  streams: Streams,
  seconds: number,
): Promise<number> {
  const before = await side.count();
  walks += 1;
  // Every write has streams of its own in each run: heads of an earlier run would be of another length.
  const next = streams.walk(`w${walks}`);
  let appended = 0;
  const began = performance.now();
  const write = async (): Promise<void> => {
    while (performance.now() - began < seconds * 1_000) {
      await side.append(
        next(),
        Array.from({ length: events }, (_, n) => benchEvent(n)),
      );
      appended += events;
    }
  };
  await Promise.all(Array.from({ length: writers }, write));
  const took = performance.now() - began;
  const stands = (await side.count()) - before;
  if (stands !== appended) throw new Error(`${appended} events were acknowledged, ${stands} stand in the table`);
  return (appended * 1_000) / took;
}
