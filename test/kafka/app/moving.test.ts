import { rm } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { kafka } from 'nest-kappa/kafka';
import { partitionKey } from '../../../src/kernel/position.js';
import type { RelayLag } from '../../../src/modules/aggregates/relay/relay-status.js';
import type { RelayVerification } from '../../../src/modules/aggregates/relay/relay-verify.js';
import { openKappa } from '../../../src/modules/kappa/open-kappa.js';
import type { KappaRuntime } from '../../../src/modules/kappa/kappa-runtime.js';
import type { ProjectionStatus } from '../../../src/modules/projections/operations.js';
import { startKafka } from '../../../src/testing/kafka/start-kafka.js';
import type { StartedKafka } from '../../../src/testing/kafka/started-kafka.js';
import { fine, fines, ReceivePayment } from '../../cli/app/src/fines.js';
import { Fines, finesV1, PaymentsPerFineV1 } from '../../cli/app/src/projections.js';
import { appDatabase, type AppDatabase } from '../../cli/app-database.js';
import { compiledApp } from '../../cli/compiled-app.js';
import { json, lines, run, type Ran } from '../../cli/run-command.js';
import { describeWithOwnKafka } from '../../support/kafka.js';

const FINES = 40;
const EVENTS = 2 * FINES;

interface Status {
  readonly relays: boolean;
  readonly behind: number;
  readonly partitions: readonly RelayLag[];
}
interface Events {
  readonly events: readonly { readonly id: string; readonly partition: number; readonly offset: number }[];
}
type Line = Partial<RelayVerification> & { readonly adopted?: readonly number[]; readonly left?: readonly unknown[] };

// One step after the other, as docs/recipes/move-to-kafka.md has them.
await describeWithOwnKafka('an application that moves to Kafka with its history', () => {
  let brokers: StartedKafka;
  let app: AppDatabase;
  let folder: string;
  let runtime: KappaRuntime | null = null;
  const definitions = { aggregates: [fine], projections: [finesV1, PaymentsPerFineV1] };

  beforeAll(async () => {
    brokers = await startKafka({ from: ['docker', 'java'] });
    app = await appDatabase(FINES);
    folder = await compiledApp();
  });
  afterAll(async () => {
    await runtime?.stop();
    await app.drop();
    await rm(folder, { recursive: true });
    await brokers.stop();
  });

  const env = (): Record<string, string> => ({ ...app.env, BROKERS: brokers.brokers.join(',') });
  const before = (...args: readonly string[]): Promise<Ran> => run(args, { cwd: folder, env: env() });
  const after = (...args: readonly string[]): Promise<Ran> =>
    run([...args, '--config', path.join(folder, 'kafka.config.js')], { cwd: folder, env: env() });
  const read = async <Document>(ran: Promise<Ran>): Promise<Document & { readonly code: number | null }> => {
    const { code, stdout, stderr } = await ran;
    if (stdout === '') throw new Error(stderr);
    return { ...(JSON.parse(stdout) as Document), code };
  };
  const open = (kafkaRun: { readonly relay?: boolean; readonly commands?: boolean; readonly projections?: boolean }) =>
    openKappa(
      {
        database: { url: app.url },
        log: kafka({ brokers: brokers.brokers }),
        run: kafkaRun,
        // The same code, compiled by two compilers, which would be rebuilt in development.
        projections: { onChangedCode: 'warn' },
      },
      definitions,
      { env: {} },
    );

  it('has live projections on the log in PostgreSQL', async () => {
    expect((await before('projections', 'rebuild', '--all', '--swap')).code).toBe(0);
    expect(await read<Status>(before('relay', 'status', '--json'))).toMatchObject({ code: 0, relays: false, partitions: [] });
    expect((await before('relay', 'verify')).stderr).toContain('KAPPA_NOTHING_RELAYED');
  });

  it('shows what is to be relayed, and that nobody does it', async () => {
    const status = await read<Status>(after('relay', 'status', '--json'));
    expect(status).toMatchObject({ code: 1, relays: true, behind: EVENTS });
    expect(status.partitions).toHaveLength(fines.partitions);
    const { stdout } = await after('relay', 'status');
    expect(stdout).toMatch(/topic +partition +appended +relayed +behind +waiting +relayed by\n/);
    expect(stdout).toMatch(/nobody\n[^]*80 events to relay\./);
  });

  it('relays its history', async () => {
    runtime = await open({ relay: true });
    const to = await runtime.end(fines.name);
    const from = Object.fromEntries(Object.keys(to).map((key) => [key, 0]));
    // What is not relayed yet is waited for: each partition is followed until it has all.
    const behind = new Map(Object.entries(to));
    for await (const { partition, next } of runtime.log.read({ from })) {
      const key = partitionKey(fines.name, partition);
      if (next >= (behind.get(key) ?? Infinity)) behind.delete(key);
      if (behind.size === 0) break;
    }
    expect(await read<Status>(after('relay', 'status', '--json'))).toMatchObject({ code: 0, behind: 0 });
    expect((await after('relay', 'status')).stdout).toContain('All that was appended is relayed.');
    await runtime.stop();
  });

  it('finds rows and topic equal, and events where they were', async () => {
    const verified = await after('relay', 'verify', '--json');
    expect(verified.code, verified.stderr).toBe(0);
    expect(lines<Line>(verified).at(-1)).toMatchObject({
      differences: 0,
      topics: [{ topic: 'fines', compared: EVENTS }],
      done: true,
    });
    expect((await after('relay', 'verify', 'fines')).stdout).toContain('fines: 80 rows and as many records are equal.');
    const [inPostgres, inKafka] = await Promise.all([
      read<Events>(before('events', 'read', 'fines', '--limit', '200', '--json')),
      read<Events>(after('events', 'read', 'fines', '--limit', '200', '--json')),
    ]);
    const places = ({ events }: Events) => events.map(({ id, partition, offset }) => `${partition}:${offset} ${id}`).sort();
    expect(places(inKafka)).toEqual(places(inPostgres));
    expect(places(inKafka)).toHaveLength(EVENTS);
  });

  it('lets projections go on where they stand, without a rebuild', async () => {
    const adopted = await after('relay', 'adopt', '--json');
    expect(adopted.code, adopted.stdout + adopted.stderr).toBe(0);
    expect(lines<Line>(adopted).at(-1)).toMatchObject({ adopted: [1, 2], left: [], done: true });
    expect((await after('relay', 'adopt')).stdout).toContain('No build stands on the log in PostgreSQL.');
    expect((await after('projections', 'plan', '--check')).code).toBe(0);

    runtime = await open({ commands: true, relay: true, projections: true });
    const { position } = await runtime.commands.execute(new ReceivePayment('fine-3', 100));
    expect(Object.keys(position)).toHaveLength(1);
    expect(await runtime.reader(Fines).get('fine-3', { at: position })).toMatchObject({ id: 'fine-3', paid: '3.50' });
    const { projections } = await read<{ readonly projections: readonly ProjectionStatus[] }>(
      after('projections', 'status', '--json'),
    );
    expect(projections.map(({ activeBuild, builds }) => [activeBuild, builds.length])).toEqual([
      [1, 1],
      [2, 1],
    ]);
    const { document } = await json<{ readonly log: unknown }>(['status', '--config', path.join(folder, 'kafka.config.js')], {
      cwd: folder,
      env: env(),
    });
    expect(document.log).toMatchObject({ driver: 'kafka' });
    expect((await after('topics', 'describe', 'fines')).stdout).toContain('fine.created v1, payment.received v1');
  });

  it('needs Kafka for none of what the database alone can answer', async () => {
    const away = { cwd: folder, env: { ...env(), BROKERS: '127.0.0.1:1' } };
    const config = ['--config', path.join(folder, 'kafka.config.js')];
    expect((await run(['database', 'status', ...config], away)).code).toBe(0);
    expect((await run(['streams', 'read', 'fine', 'fine-3', ...config], away)).code).toBe(0);
  });
});
