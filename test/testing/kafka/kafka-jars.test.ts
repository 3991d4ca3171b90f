import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { cachedJars, fetchJars } from '../../../src/testing/kafka/kafka-jars.js';

let cache: string;
beforeEach(async () => {
  cache = await mkdtemp(path.join(tmpdir(), 'kafka-jars-'));
});
afterEach(() => rm(cache, { recursive: true, force: true }));

/** What is asked of Maven, without the network: each run counts itself and brings two files, slowly enough to meet another run. */
async function maven(
  script = 'echo run >> "$here/runs"; sleep 0.3; echo a > "$out/a.jar"; echo b > "$out/b.jar"',
): Promise<string> {
  const program = path.join(cache, 'mvn');
  const arguments_ = 'for word; do case $word in -DoutputDirectory=*) out=${word#*=} ;; esac; done';
  await writeFile(program, `#!/bin/sh\nhere='${cache}'\n${arguments_}\n${script}\n`);
  await chmod(program, 0o755);
  return program;
}

async function folders(): Promise<string[]> {
  return (await readdir(cache)).filter((name) => name.startsWith('kafka-'));
}

it('are fetched once, and found from then on', async () => {
  expect(await cachedJars(cache)).toBeNull();
  const folder = await fetchJars(await maven(), cache);
  expect(await cachedJars(cache)).toBe(folder);
  expect(await readFile(path.join(folder, 'a.jar'), 'utf8')).toBe('a\n');
});

it('stand whole, once, where several processes fetch them together', async () => {
  const program = await maven();
  const found = await Promise.all(Array.from({ length: 4 }, () => fetchJars(program, cache)));
  expect(await readFile(path.join(cache, 'runs'), 'utf8')).toBe('run\n'.repeat(4));
  expect(new Set(found).size).toBe(1);
  expect(await folders()).toEqual([path.basename(found[0] ?? '')]);
  expect((await readdir(found[0] ?? '')).sort()).toEqual(['a.jar', 'b.jar', 'files.json', 'pom.xml']);
});

it('are fetched anew when a cleaner of caches has taken some', async () => {
  const program = await maven();
  const folder = await fetchJars(program, cache);
  await rm(path.join(folder, 'b.jar'));
  expect(await cachedJars(cache)).toBeNull();
  expect(await fetchJars(program, cache)).toBe(folder);
  expect(await cachedJars(cache)).toBe(folder);
});

it('are not there when Maven fails, which says why; nothing half is left', async () => {
  const program = await maven('echo half > "$out/a.jar"; echo "[ERROR] Could not transfer artifact"; exit 1');
  await expect(fetchJars(program, cache)).rejects.toThrow(
    /^KAPPA_NO_KAFKA: .*Maven could not fetch Kafka: \[ERROR\] Could not transfer artifact.*KAFKA_BROKERS/,
  );
  expect(await cachedJars(cache)).toBeNull();
  expect(await folders()).toEqual([]);
});
