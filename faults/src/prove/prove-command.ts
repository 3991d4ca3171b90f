import { fileURLToPath } from 'node:url';
import { catalogue } from './catalogue/catalogue.js';
import { Processes } from './processes.js';
import { chosen, prove } from './prove.js';
import { lineOf, summarizeProofs, tableOf } from './report.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const INTERRUPTED = 130;

/** `--prove`: 0 when every guard is caught, alone or in its set, 1 when one is not or cannot be told, 2 for unknown names. */
export async function proveCommand({
  guards,
  json,
}: {
  readonly guards: readonly string[];
  readonly json: boolean;
}): Promise<number> {
  const known = [...catalogue.guards.map(({ guard }) => guard), ...catalogue.sets.map(({ set }) => set)];
  const unknown = guards.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    console.error(`there is no guard ${unknown.join(', ')}; there are:\n${known.map((name) => `  ${name}`).join('\n')}`);
    return 2;
  }
  const wanted = guards.length === 0 ? catalogue : chosen(catalogue, guards);
  const processes = new Processes();
  let interrupted = false;
  const interrupt = (): void => {
    interrupted = true;
    void processes.end();
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, interrupt);
  try {
    const proofs = await prove(ROOT, wanted, processes, (proof) => interrupted || console.log(lineOf(proof)));
    const summary = summarizeProofs(proofs, wanted.sets);
    console.log(`\n${tableOf(summary)}`);
    if (json) console.log(JSON.stringify(summary));
    return summary.guards.every(({ caughtBy }) => caughtBy !== null) ? 0 : 1;
  } catch (error) {
    if (interrupted) return INTERRUPTED;
    throw error;
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, interrupt);
  }
}
