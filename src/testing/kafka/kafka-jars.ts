import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { copyFile, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { cacheFolder } from '../../database/embedded/server-home.js';
import { noKafka } from './kafka-errors.js';

const POM = fileURLToPath(new URL('./pom.xml', import.meta.url));
/** The names of all files of a whole download. */
const LIST = 'files.json';

/** The folder with Kafka's jars, or null when they were not fetched yet. Nothing is made. */
export async function cachedJars(cache?: string): Promise<string | null> {
  const folder = await jarFolder(cache);
  return (await isWhole(folder)) ? folder : null;
}

/**
 * Fetches Kafka with Maven, once per version of our pom: into a folder beside, moved into place when it is whole, so that a kill
 * leaves nothing half and two processes may do so at once.
 * @throws KAPPA_NO_KAFKA with what Maven said
 */
export async function fetchJars(maven: string, cache?: string): Promise<string> {
  const folder = await jarFolder(cache);
  const half = `${folder}.${randomBytes(4).toString('hex')}.tmp`;
  await mkdir(half, { recursive: true });
  try {
    await runMaven(maven, half);
    await writeFile(path.join(half, LIST), JSON.stringify(await jarsIn(half)));
    await moveIntoPlace(half, folder);
    return folder;
  } finally {
    await rm(half, { recursive: true, force: true });
  }
}

async function moveIntoPlace(half: string, folder: string): Promise<void> {
  try {
    await rename(half, folder);
  } catch (error) {
    // Another process may have been faster: then its download stands, and may be in use already.
    if (await isWhole(folder)) return;
    // A cleaner of caches may have taken some of what stood there before.
    const spoilt = `${half}.spoilt`;
    await rename(folder, spoilt).catch(() => {
      throw error;
    });
    await rm(spoilt, { recursive: true, force: true });
    await rename(half, folder);
  }
}

async function jarFolder(cache?: string): Promise<string> {
  const hash = createHash('sha256')
    .update(await readFile(POM))
    .digest('hex');
  return path.join(cache ?? (await cacheFolder()), `kafka-${hash.slice(0, 12)}`);
}

async function isWhole(folder: string): Promise<boolean> {
  try {
    const wanted = JSON.parse(await readFile(path.join(folder, LIST), 'utf8')) as string[];
    const there = new Set(await jarsIn(folder));
    return wanted.every((name) => there.has(name));
  } catch {
    return false;
  }
}

async function jarsIn(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => name.endsWith('.jar'));
}

async function runMaven(maven: string, into: string): Promise<void> {
  // Run on a copy: Maven may want to write beside the pom, and a package may be installed read-only.
  const pom = path.join(into, 'pom.xml');
  await copyFile(POM, pom);
  const args = ['-q', '-B', '-f', pom, 'dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${into}`];
  await promisify(execFile)(maven, args, { cwd: into, maxBuffer: 16_000_000 }).catch((error: unknown) => {
    const { stdout, message } = error as { readonly stdout?: string; readonly message: string };
    const said = (stdout?.trim() || message).split('\n').slice(0, 5).join(' | ');
    throw noKafka([`Maven could not fetch Kafka: ${said}`], error);
  });
}
