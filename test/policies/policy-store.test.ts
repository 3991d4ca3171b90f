import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Database } from '../../src/database/database.js';
import type { PartitionClaim } from '../../src/database/partition-progress.js';
import { offset, topicName } from '../../src/kernel/names.js';
import { partitionKey } from '../../src/kernel/position.js';
import { PolicyStore } from '../../src/modules/policies/policy-store.js';
import { createMigratedDatabase } from '../../src/testing/migrated-database.js';
import type { TestDatabase } from '../../src/testing/test-server.js';

const FINES = topicName('fines');
const KEYS = [partitionKey(FINES, 0), partitionKey(FINES, 1)];

describe('progress of a policy', () => {
  let made: TestDatabase;
  let database: Database;
  let store: PolicyStore;
  beforeAll(async () => {
    made = await createMigratedDatabase();
    database = new Database({ url: made.url });
    store = new PolicyStore(database);
  });
  afterAll(async () => {
    await database.stop();
    await made.drop();
  });

  /** Two owners, one after the other, of a policy that has handled nothing yet. */
  async function owners(
    policy: string,
  ): Promise<{ readonly former: readonly PartitionClaim[]; readonly later: readonly PartitionClaim[] }> {
    const description = { name: FINES, partitions: 2, retention: null, incarnation: 'one' };
    const offsets = [0, 1].map((partition) => ({ partition, begin: offset(0), end: offset(9) }));
    const log = { driver: 'memory', cluster: 'here' } as const;
    await store.begin({ name: policy, startAt: 'beginning' }, [{ description, offsets }], log);
    return { former: await store.claim(policy, KEYS), later: await store.claim(policy, [KEYS[0]!]) };
  }
  const move = ({ topic, partition, epoch, nextOffset }: PartitionClaim, to: number) => ({
    topic,
    partition,
    epoch,
    from: nextOffset,
    to,
  });
  const stands = async (policy: string) => (await store.partitions(policy)).map(({ nextOffset }) => nextOffset);

  it('is moved under the last epoch alone, also where a former owner stands at the same offset', async () => {
    const { former, later } = await owners('moved');
    const late = former.map((claim) => move(claim, 5));
    expect(await store.advance(database, 'moved', late.slice(0, 1))).toBe(false);
    expect(await store.advance(database, 'moved', late)).toBe(false);
    expect(await stands('moved')).toEqual([0, 0]);
    expect(await store.advance(database, 'moved', [move(later[0]!, 3), ...late.slice(1)])).toBe(true);
    expect(await stands('moved')).toEqual([3, 5]);
  });

  it('is owned under the last epoch alone', async () => {
    const { former, later } = await owners('owned');
    const owns = (claim: PartitionClaim) => database.transaction((on) => store.owns(on, 'owned', claim));
    expect(await Promise.all(former.map(owns))).toEqual([false, true]);
    expect(await owns(later[0]!)).toBe(true);
  });
});
