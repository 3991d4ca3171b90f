import { runPart } from '../part.js';
import { projectionName } from './generated-projections.js';
import type { LivePart } from './live.process.js';
import type { RebuildPart, RebuildReport } from './side.js';

/** Rebuilds in a process of its own, with builds that are live already: see {@link makeLive}. */
export async function rebuildOurs(part: RebuildPart): Promise<RebuildReport> {
  return runPart<RebuildPart, RebuildReport>(new URL('./ours.process.js', import.meta.url), part);
}

/** Makes these tables of a topic without events live, so that every rebuild after it is one beside a live build. */
export async function makeLive({ databaseUrl, topic, tables }: RebuildPart): Promise<void> {
  const projections = tables.map((table) => ({ name: projectionName(topic, table), table }));
  await runPart<LivePart, RebuildReport>(new URL('./live.process.js', import.meta.url), {
    databaseUrl,
    topic,
    projections,
    events: 0,
  });
}
