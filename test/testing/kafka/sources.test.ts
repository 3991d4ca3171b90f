import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { kafkaAvailability, startKafka } from '../../../src/testing/index.js';
import { findJava, majorOf } from '../../../src/testing/kafka/java-runtime.js';
import { DESK_URL, KafkaDesk } from '../../support/kafka-desk.js';
import { askForBrokers, describeOnKafka } from '../../support/kafka.js';
import { clientOf, topicsOf } from './round-trip.js';

const cleared: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  for (const clear of cleared.splice(0)) await clear();
});

/** A machine with neither Java nor Maven; Docker is left out of the question. */
function bareMachine(): void {
  vi.stubEnv('PATH', '');
  vi.stubEnv('JAVA_HOME', undefined);
  vi.stubEnv('KAFKA_BROKERS', undefined);
  vi.stubEnv('DOCKER_HOST', 'tcp://127.0.0.1:1');
}

async function fakeJava(said: string): Promise<string> {
  const home = await mkdtemp(path.join(tmpdir(), 'java-home-'));
  cleared.push(() => rm(home, { recursive: true, force: true }));
  const program = path.join(home, 'bin', 'java');
  await mkdir(path.dirname(program));
  await writeFile(program, `#!/bin/sh\necho '${said}' >&2\n`);
  await chmod(program, 0o755);
  return home;
}

describe('where brokers come from', () => {
  it('is told without starting any: what was looked at, and what to do', async () => {
    bareMachine();
    const looked = ['KAFKA_BROKERS is not set', 'there is no java on the PATH'];
    const remedy = expect.stringContaining('KAFKA_BROKERS=host:port') as string;
    expect(await kafkaAvailability(['environment', 'java'])).toEqual({ source: null, looked, remedy });
    await expect(startKafka({ from: ['environment', 'java'] })).rejects.toMatchObject({
      code: 'KAPPA_NO_KAFKA',
      facts: { looked },
    });
  });

  it('is KAFKA_BROKERS first, unless brokers of our own kind are wanted', async () => {
    vi.stubEnv('KAFKA_BROKERS', ' one:9092, two:9092,');
    expect(await kafkaAvailability()).toEqual({ source: 'environment' });
    const properties = { 'num.io.threads': '4' };
    await expect(startKafka({ from: ['environment'], properties })).rejects.toMatchObject({ code: 'KAPPA_NO_KAFKA' });
    await expect(startKafka({ from: ['environment', 'docker'], dataDir: 'x' })).rejects.toMatchObject({
      code: 'KAPPA_NO_KAFKA',
    });
  });

  it('is Java from version 17 on, that of JAVA_HOME before that of the PATH', async () => {
    const old = await fakeJava('java version "1.8.0_292"');
    expect(await findJava({ JAVA_HOME: old })).toEqual({
      missing: `${path.join(old, 'bin', 'java')} is version 8, 17 or newer is needed`,
    });
    const current = await fakeJava('openjdk version "21" 2023-09-19');
    expect(await findJava({ JAVA_HOME: current, PATH: path.join(old, 'bin') })).toEqual({
      program: path.join(current, 'bin', 'java'),
    });
    expect(await findJava({ JAVA_HOME: '/nowhere' })).toEqual({ missing: '/nowhere/bin/java does not run' });
    expect(majorOf('openjdk version "17.0.15" 2025-04-15')).toBe(17);
    expect(majorOf('GNU libgcj')).toBeNull();
  });

  it('is an error for brokers that do not answer, and for a number that cannot be started', async () => {
    vi.stubEnv('KAFKA_BROKERS', '127.0.0.1:1');
    await expect(startKafka()).rejects.toThrow(/^KAPPA_KAFKA_UNREACHABLE: .*unset it to have brokers started\.$/);
    await expect(startKafka({ brokers: 2 as 1 })).rejects.toThrow(
      'KAPPA_KAFKA_OPTIONS: 2 brokers cannot be started. Ask for 1 or 3.',
    );
  });
});

describe('tests on Kafka where there is none', () => {
  it('are skipped, with the remedy at the end of the run', async () => {
    bareMachine();
    const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    const desk = new KafkaDesk();
    vi.stubEnv(DESK_URL, await desk.open());
    vi.stubEnv('CI', '');
    expect(await askForBrokers('/1')).toBeNull();
    expect(await askForBrokers('/own')).toBeNull();
    await desk.close();
    expect(said).toHaveBeenCalledWith(expect.stringMatching(/TESTS ON KAFKA DID NOT RUN\. KAPPA_NO_KAFKA: .*Maven\.\n$/s));
  });

  it('fail when CI is set', async () => {
    bareMachine();
    vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    const desk = new KafkaDesk();
    vi.stubEnv(DESK_URL, await desk.open());
    vi.stubEnv('CI', 'true');
    await expect(askForBrokers('/3')).rejects.toThrow('KAPPA_NO_KAFKA');
    await expect(askForBrokers('/own')).rejects.toThrow('KAPPA_NO_KAFKA');
    await desk.close();
  });
});

await describeOnKafka('brokers that KAFKA_BROKERS names', 1, (brokers) => {
  it('are taken as they are, are nobody’s to strike, and stay', async () => {
    vi.stubEnv('KAFKA_BROKERS', brokers.join(','));
    const kafka = await startKafka();
    expect(kafka).toMatchObject({ brokers, source: 'environment', pids: [null] });
    await expect(kafka.kill(0)).rejects.toMatchObject({ code: 'KAPPA_KAFKA_NOT_OURS' });
    await kafka.stop();
    await kafka.stop();
    expect(await topicsOf(clientOf(brokers))).toContain('__consumer_offsets');
  });

  it('are too few where three are wanted', async () => {
    vi.stubEnv('KAFKA_BROKERS', brokers.join(','));
    await expect(startKafka({ brokers: 3 })).rejects.toThrow(/^KAPPA_KAFKA_TOO_SMALL: .*cluster of 1, but 3/);
  });
});
