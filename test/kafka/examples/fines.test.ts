import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Kafka, logLevel } from 'kafkajs';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../../src/testing/test-server.js';
import { startKafka, type StartedKafka } from '../../../src/testing/index.js';
import { describeWithOwnKafka } from '../../support/kafka.js';
import { ROOT, runToEnd, type Ended } from '../../support/run-example.js';
import { ALL, HAS_REAL, realRows, type Totals } from '../../examples/fines-totals.js';

const MAIN = path.join(ROOT, 'examples/fines/dist/src/main.js');
const COMMAND = path.join(ROOT, 'dist/cli/bin.js');
const CONFIG = path.join(ROOT, 'examples/fines/kappa.config.ts');
const TABLES = ['fines', 'activity_totals', 'monthly_payments'];

const TIMEOUT_MS = ALL ? 1_800_000 : 240_000;

type Report = Totals & { readonly importSeconds: number; readonly visibleSeconds: number };

await describeWithOwnKafka('the fines on Kafka', () => {
  let folder: string;
  let file: string;
  let empty: string;
  let expected: Totals;
  let kafka: StartedKafka;
  let database: TestDatabase;

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'kappa-fines-'));
    [file, empty] = [path.join(folder, 'fines.csv'), path.join(folder, 'empty.csv')];
    if (!HAS_REAL) return;
    const real = await realRows();
    expected = real.expected;
    await writeFile(file, `${[real.head, ...real.rows].join('\n')}\n`);
    await writeFile(empty, `${real.head}\n`);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  // The topic's name is that of the example, so each test has brokers of its own.
  beforeEach(async () => {
    kafka = await startKafka({ from: ['docker', 'java'] });
    database = await createTestDatabase();
  }, 120_000);
  afterEach(async () => {
    await database.drop();
    await kafka.stop();
  });

  const env = (): Record<string, string> => ({ DATABASE_URL: database.url, KAFKA_BROKERS: kafka.brokers.join(',') });
  const imported = (from: string): Promise<Ended> => runToEnd(MAIN, ['--file', from, '--kafka', '--json'], { env: env() });
  const totals = async (from = empty): Promise<Report> => {
    const ended = await imported(from);
    expect(ended.code, ended.stderr).toBe(0);
    return JSON.parse(ended.last) as Report;
  };
  const kappa = async (...args: string[]): Promise<void> => {
    const ended = await runToEnd(COMMAND, [...args, '--config', CONFIG, '--json'], { env: env() });
    expect(ended.code, ended.stdout + ended.stderr).toBe(0);
  };

  // All rows are imported both ways; a sample only the hard way.
  it.skipIf(!HAS_REAL).each(ALL ? [false, true] : [true])(
    'come to the same totals, imported, imported again, rebuilt, swapped and rolled back, with a broker killed in the middle of the import: %s',
    async (killed) => {
      const run = imported(file);
      if (killed) {
        expect(await relayedMoreThan(kafka.brokers, 3_000)).toBeLessThan(expected.events);
        await kafka.kill(0);
        await kafka.restart(0);
      }
      const ended = await run;
      expect(ended.code, ended.stderr).toBe(0);
      const first = JSON.parse(ended.last) as Report;
      console.log(`${first.events} events: import ${first.importSeconds} s, visible ${first.visibleSeconds} s after it`);
      expect(first).toMatchObject(expected);
      expect(await totals(file)).toMatchObject(expected);
      await kappa('projections', 'rebuild', '--all');
      await kappa('projections', 'swap', ...TABLES);
      expect(await totals()).toMatchObject(expected);
      await kappa('projections', 'rollback', ...TABLES);
      expect(await totals()).toMatchObject(expected);
      await kappa('relay', 'verify');
    },
    TIMEOUT_MS,
  );
});

/** Waits until the topic ends beyond so many offsets in all, and returns where it does. */
async function relayedMoreThan(brokers: readonly string[], wanted: number): Promise<number> {
  const admin = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  try {
    for (;;) {
      const offsets = await admin.fetchTopicOffsets('fines').catch(() => []);
      const end = offsets.reduce((sum, { high }) => sum + Number(high), 0);
      if (end > wanted) return end;
      await nextTurn();
    }
  } finally {
    await admin.disconnect();
  }
}
