import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';

/** What Kafka 4 needs at least. */
export const JAVA_NEEDED = 17;

/** A program that can be run, or a sentence that says why it cannot. */
export type Found = { readonly program: string } | { readonly missing: string };

/** Java of JAVA_HOME, else that of the PATH. */
export async function findJava(env: NodeJS.ProcessEnv = process.env): Promise<Found> {
  if (process.platform === 'win32') return { missing: 'brokers are not started with Java on Windows' };
  const home = env['JAVA_HOME'];
  const program = home ? path.join(home, 'bin', 'java') : 'java';
  const said = await wordsOf(program, ['-version'], env);
  if (said === null) return { missing: home ? `${program} does not run` : 'there is no java on the PATH' };
  const major = majorOf(said);
  if (major === null) return { missing: `${program} does not tell its version` };
  return major >= JAVA_NEEDED ? { program } : { missing: `${program} is version ${major}, ${JAVA_NEEDED} or newer is needed` };
}

/** Maven, which fetches Kafka. */
export async function findMaven(env: NodeJS.ProcessEnv = process.env): Promise<Found> {
  return (await wordsOf('mvn', ['-v'], env)) === null ? { missing: 'there is no mvn on the PATH' } : { program: 'mvn' };
}

/** `openjdk version "17.0.15"`; up to Java 8 it was `"1.8.0_292"`. */
export function majorOf(said: string): number | null {
  const version = /version "(?:1\.)?(\d+)/.exec(said);
  return version ? Number(version[1]) : null;
}

async function wordsOf(program: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<string | null> {
  try {
    const { stdout, stderr } = await promisify(execFile)(program, args, { env });
    return `${stdout}${stderr}`;
  } catch {
    return null;
  }
}
