import { checkClaims } from './claims.js';
import { checkCommands } from './commands.js';
import type { Evidence, Problem } from './evidence.js';
import { checkProgress } from './progress.js';
import { checkStreams } from './streams.js';
import { checkTables } from './tables.js';
import { checkTopics } from './topics.js';
import { checkViews } from './views.js';

/** All that was promised and is not so. Knows nothing of the framework: it counts and compares what is there. */
export function check(evidence: Evidence): readonly Problem[] {
  const { journal, streams, topics, tables, progress, views } = evidence;
  return [
    ...checkStreams(streams),
    ...checkCommands(journal, streams),
    ...checkClaims(streams),
    ...checkTopics(streams, topics),
    ...checkTables(tables, topics),
    ...checkProgress(progress),
    ...checkViews(views),
  ];
}
