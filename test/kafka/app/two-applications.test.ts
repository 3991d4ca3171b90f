import { afterEach, expect, it } from 'vitest';
import { kafka } from 'nest-kappa/kafka';
import { startKappaTest, type MemberDescription } from 'nest-kappa/testing';
import { applicationOnKafka, Count } from '../support/counters.js';
import { describeOnKafka } from '../../support/kafka.js';

await describeOnKafka('two applications on one cluster', 1, (brokers) => {
  const stops: (() => Promise<void>)[] = [];
  afterEach(async () => {
    await Promise.all(stops.splice(0).map((stop) => stop()));
  });

  it('each read all of their own partitions, though schema and builds bear the same names', { timeout: 90_000 }, async () => {
    const started = await Promise.all(
      [applicationOnKafka(), applicationOnKafka()].map(async ({ definitions, Counters, counters }) => {
        const kappa = await startKappaTest({ ...definitions, options: { log: kafka({ brokers }) } });
        stops.push(() => kappa.stop());
        return { kappa, Counters, counters };
      }),
    );
    const membersOf = async (name: string): Promise<readonly MemberDescription[]> =>
      ((await started[0]?.kappa.log.groups.list()) ?? [])
        .flatMap(({ members }) => members)
        .filter(({ topics }) => topics.some((one) => one === name));
    for (const { counters } of started) {
      let members: readonly MemberDescription[] = [];
      while (!members.some(({ partitions }) => partitions.length > 0)) members = await membersOf(counters.name);
    }
    // Both have joined. Builds and schemas are called the same; in one group each would hold half of the other's partitions.
    const groups = (await started[0]?.kappa.log.groups.list()) ?? [];
    const read = started.map(({ counters }) =>
      groups.filter(({ members }) => members.some(({ topics }) => topics.some((one) => one === counters.name))),
    );
    const names = read.flat().map(({ group }) => group);
    expect(names.map((name) => name.replace(/-[0-9a-f]{8}\./, '.'))).toEqual(['kappa.build-1', 'kappa.build-1']);
    expect(new Set(names).size).toBe(2);
    for (const { counters } of started)
      expect((await membersOf(counters.name)).flatMap(({ partitions }) => partitions)).toHaveLength(counters.partitions);
    const ids = Array.from({ length: 20 }, (_, n) => `c${n}`);
    for (const { kappa } of started) await Promise.all(ids.map((id) => kappa.commands.execute(new Count(id))));
    for (const { kappa, Counters } of started) {
      await kappa.caughtUp({ timeoutMs: 60_000 });
      expect((await kappa.reader(Counters).list({ limit: 100 })).rows).toHaveLength(20);
    }
  });
});
