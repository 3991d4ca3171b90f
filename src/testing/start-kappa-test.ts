import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from '../database/database.js';
import { KappaError } from '../kernel/errors.js';
import { NOWHERE, type Position } from '../kernel/position.js';
import type { EventLog } from '../log/event-log.js';
import type { Inject } from '../modules/aggregates/aggregate.js';
import type { Commands } from '../modules/aggregates/command.js';
import type { KappaDefinitions, KappaOptions } from '../modules/kappa/kappa-options.js';
import { openKappa } from '../modules/kappa/open-kappa.js';
import type { KappaRuntime } from '../modules/kappa/kappa-runtime.js';
import type { PolicyOperations } from '../modules/policies/operations.js';
import type { ProjectionOperations } from '../modules/projections/operations.js';
import type { ReadableProjection } from '../modules/serving/projection-reader.js';
import type { Reader } from '../modules/serving/reader.js';
import { createMigratedDatabase } from './migrated-database.js';

export interface KappaTestOptions extends KappaDefinitions {
  /** As for `forRoot`; its database is the test's own. */
  readonly options?: Omit<KappaOptions, 'database'> & {
    readonly database?: Omit<NonNullable<KappaOptions['database']>, 'url' | 'dataDir' | 'schema'>;
  };
  /** Gives `prepare` and policies their services. Default: none can be injected. */
  readonly inject?: Inject;
}

/** An application without Nest, on a database of its own. */
export interface KappaTest {
  readonly commands: Commands;
  readonly operations: ProjectionOperations;
  readonly policies: PolicyOperations;
  readonly database: Database;
  readonly log: EventLog;
  readonly runtime: KappaRuntime;
  /** Of the test's database: for a second process, or `psql`. */
  readonly url: string;
  reader<Row>(projection: ReadableProjection<Row>): Reader<Row>;
  /**
   * Waits until policies have nothing left to handle, and then until every projection stands at what is now the end of its topics.
   * @throws KAPPA_READ_TIMEOUT, KAPPA_POLICY_BEHIND after `timeoutMs` each (default 10,000)
   */
  caughtUp(options?: { readonly timeoutMs?: number }): Promise<void>;
  /** Stops all and drops the database. May be called twice. */
  stop(): Promise<void>;
}

/**
 * Starts aggregates, projections and policies on a fresh database, a copy of a migrated one:
 *
 * ```ts
 * const kappa = await startKappaTest({ aggregates: [fine], projections: [finesV1] });
 * await kappa.commands.execute(new CreateFine('f1', '62.59'));
 * await kappa.caughtUp();
 * expect(await kappa.reader(Fines).get('f1')).toMatchObject({ amount: '62.59' });
 * await kappa.stop();
 * ```
 *
 * The server is DATABASE_URL, else an embedded one that is gone with the test process.
 */
export async function startKappaTest(given: KappaTestOptions = {}): Promise<KappaTest> {
  const { options, inject, ...definitions } = given;
  const made = await createMigratedDatabase();
  const database = { ...options?.database, url: made.url };
  const runtime = await openKappa({ name: 'kappa-test', ...options, database }, definitions, {
    env: {},
    ...(inject ? { inject } : {}),
  }).catch(async (error: unknown) => {
    await made.drop();
    throw error;
  });
  let stopped: Promise<void> | null = null;
  return {
    commands: runtime.commands,
    operations: runtime.operations,
    policies: runtime.policies,
    database: runtime.database,
    log: runtime.log,
    runtime,
    url: made.url,
    reader: (projection) => runtime.reader(projection),
    caughtUp: ({ timeoutMs = 10_000 } = {}) => caughtUp(runtime, timeoutMs),
    stop: () => (stopped ??= runtime.stop().finally(() => made.drop())),
  };
}

async function caughtUp(runtime: KappaRuntime, timeoutMs: number): Promise<void> {
  if (runtime.options.run.policies) await policiesCaughtUp(runtime.policies, timeoutMs);
  const { projections } = runtime.options.definitions;
  // All versions of a name share one live build.
  const byName = new Map(projections.map((projection) => [projection.name, projection]));
  await Promise.all(
    [...byName.values()].map(async (projection) => {
      const ends: Position[] = await Promise.all(projection.from.map(({ name }) => runtime.end(name)));
      await runtime.reader(projection).waitFor(Object.assign({}, NOWHERE, ...ends) as Position, { timeoutMs });
    }),
  );
}

const LOOK_EVERY_MS = 15;

/** One look at all of them: what a policy does may be work for another. */
async function policiesCaughtUp(policies: PolicyOperations, timeoutMs: number): Promise<void> {
  for (const until = performance.now() + timeoutMs; ;) {
    const late = (await policies.status()).find(({ behind }) => behind > 0);
    if (!late) return;
    if (performance.now() >= until)
      throw new KappaError('KAPPA_POLICY_BEHIND', `policy ${late.name} is ${late.behind} behind after ${timeoutMs / 1_000} s`, {
        facts: { policy: late.name, behind: late.behind },
        nextStep: late.error?.message ?? 'Raise timeoutMs, or look what its handlers wait for.',
      });
    await sleep(LOOK_EVERY_MS);
  }
}
