import { commandLine } from '../../../src/database/embedded/process-identity.js';

/** The folder of a broker that Java runs, as it stands among the words of its process. */
export async function homeOf(pid: number): Promise<string> {
  const words = (await commandLine(pid)) ?? '';
  return /-Djava\.io\.tmpdir=(\S+)\/tmp /.exec(words)?.[1] ?? '';
}
