import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { describeOnKafka } from '../../support/kafka.js';
import { SourceProcesses } from '../../support/source-processes.js';
import { RelayOnKafka } from './relay-on-kafka.js';

const ROUNDS = 6;

await describeOnKafka('relay processes', 1, (brokers) => {
  let processes: SourceProcesses;
  let house: RelayOnKafka;
  beforeAll(async () => {
    processes = await SourceProcesses.compile(new URL('./relaying.process.ts', import.meta.url));
  });
  afterEach(() => house.stop());
  afterAll(() => processes.clear());

  const start = (): Promise<ChildProcess> => processes.start({ URL: house.url, BROKERS: brokers.join(',') });
  const kill = async (child: ChildProcess): Promise<void> => {
    child.kill('SIGKILL');
    await once(child, 'exit');
  };
  /** Appends until told to stop. */
  const writing = (): (() => Promise<void>) => {
    let done = false;
    const written = (async () => {
      while (!done) await house.write(20);
    })();
    return async () => {
      done = true;
      await written;
    };
  };

  it('that are killed at random points repeat and lose nothing', { timeout: 90_000 }, async () => {
    house = await RelayOnKafka.start(brokers);
    const stopWriting = writing();
    let running = [await start(), await start()];
    for (let round = 0; round < ROUNDS; round += 1) {
      // Anywhere within what it does: opening, looking at the end of a topic, in a batch, between two.
      await house.write(1 + Math.floor(Math.random() * 40));
      const [victim, survivor] = round % 2 === 0 ? running : running.toReversed();
      const next = start();
      await kill(victim as ChildProcess);
      running = [await next, survivor as ChildProcess];
    }
    await stopWriting();
    await house.relayed();
    expect(await house.problems()).toEqual([]);
    await Promise.all(running.map(kill));
  });

  it('of which one was stopped for longer than its lease writes nothing when it goes on', { timeout: 90_000 }, async () => {
    house = await RelayOnKafka.start(brokers);
    const zombie = await start();
    await house.write(200);
    await house.relayed();
    const stopWriting = writing();
    await house.write(40);
    zombie.kill('SIGSTOP');
    const other = await start();
    await house.write(100);
    await stopWriting();
    // The other has taken over what the zombie owned: all of it.
    await house.relayed();
    const again = writing();
    zombie.kill('SIGCONT');
    await house.write(200);
    await again();
    await house.relayed();
    expect(await house.problems()).toEqual([]);
    await Promise.all([zombie, other].map(kill));
  });
});
