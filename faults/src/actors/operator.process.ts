import { setTimeout as pause } from 'node:timers/promises';
import { ProjectionOperations } from 'nest-kappa';
import { Random } from '../random.js';
import { PROJECTIONS, VERSIONS, type ProjectionName } from '../shop/definitions.js';
import { act, isExcused, problem } from './actor.js';
import { openApplication } from './application.js';

/** Rebuilds, swaps, rolls back and clears away, one after the other, as long as it lives. What a fault stops is begun anew. */
await act(async (part) => {
  const application = await openApplication(part, { commands: true });
  const operations = application.get(ProjectionOperations, { strict: false });
  const random = new Random(part.seed, part.name, part.incarnation);
  const stopping = new AbortController();
  const { signal } = stopping;

  const rebuild = async (names: readonly ProjectionName[], swap: boolean, group: boolean): Promise<void> => {
    const versions = await Promise.all(names.map((name) => versionToBuild(operations, name)));
    const projections = names.map((name, index) => `${name}@${versions[index] ?? VERSIONS[0]}`);
    // Slowly, so that a strike meets it on its way.
    const maxEventsPerSecond = random.between(300, 3_000);
    let told = '';
    for await (const { projection, version, number, phase } of operations.rebuild({
      projections,
      swap,
      group,
      maxEventsPerSecond,
      signal,
    })) {
      const line = `${projection} v${version} build ${number} ${phase}`;
      if (line !== told) console.log(line);
      told = line;
    }
  };

  const turn = async (): Promise<void> => {
    const name = random.pick(PROJECTIONS);
    const kind = random.next();
    if (kind < 0.5) await rebuild([name], true, false);
    else if (kind < 0.75) await rebuild(PROJECTIONS, true, true);
    else {
      await rebuild([name], false, false);
      const { added, removed, rowsCandidate } = await operations.verify(name, { holdMs: 2_000 });
      console.log(`${name}: verified ${rowsCandidate} rows`);
      // Every row is of another version, so that all are changed; none may be on one side alone.
      if (added + removed > 0) await problem(new Error(`verify found ${added} rows more and ${removed} rows less in ${name}`));
      await operations.swap([name]);
    }
    if (random.chance(0.5)) {
      await pause(random.between(0, 500));
      await operations.rollback([name]);
    }
    for (const each of PROJECTIONS) {
      await operations.retire(each);
      await operations.drop(each);
    }
  };

  const work = (async () => {
    while (!signal.aborted) {
      try {
        await turn();
      } catch (error) {
        console.log('stopped:', error instanceof Error ? error.message : error);
        if (!isExcused(error) && !signal.aborted) await problem(error);
      }
      await pause(random.between(100, 600));
    }
  })();
  return {
    finish: async () => {
      stopping.abort();
      await work;
      await application.close();
    },
  };
});

/** The version that is not live; the only way on is there and back. */
async function versionToBuild(operations: ProjectionOperations, name: ProjectionName): Promise<number> {
  const [status] = await operations.status([name]);
  const live = status?.builds.find(({ active }) => active)?.build.version;
  return VERSIONS.find((version) => version !== live) ?? VERSIONS[0];
}
