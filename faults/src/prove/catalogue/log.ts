import type { Guard, GuardSet, Patch } from '../guard.js';

const conformance = (declared: string, name: string) => ({
  file: 'test/log/postgres/postgres-log.test.ts',
  declaredIn: `src/testing/log-conformance/${declared}-tests.ts`,
  name,
});

/** Members of every driver hold their partitions in the same way. */
export const READERS_POSITION_FORGOTTEN: Patch = {
  file: 'src/log/groups/held-partitions.ts',
  find: '{ ...(await this.options.assigned(added.map(({ key }) => key))) }',
  replace: 'await this.options.assigned(added.map(({ key }) => key)).then(() => ({}))',
};

export const logGuards: readonly Guard[] = [
  {
    guard: 'session epoch in PostgreSQL',
    driver: 'postgres',
    patches: [
      { file: 'src/log/postgres/migrations.ts', find: 'if v_epoch is distinct from p_epoch then', replace: 'if false then' },
    ],
    caughtBy: { tests: [conformance('session', 'is fenced by a later session of its task, and writes nothing then')] },
  },
  {
    guard: 'group leases in PostgreSQL',
    driver: 'postgres',
    patches: [
      {
        file: 'src/log/postgres/group-coordinator.ts',
        find: 'where m.group_name = $1 and m.member = p.owner and m.lease_until > clock_timestamp()',
        replace: 'where m.group_name = $1 and m.member is null',
      },
    ],
    caughtBy: {
      tests: [conformance('group', 'keeps a partition with its owner until that has finished with it, however long it takes')],
    },
  },
  {
    guard: 'live owners keep what they own',
    driver: 'postgres',
    patches: [
      {
        file: 'src/log/groups/plan-assignment.ts',
        find: 'return owner === null || owner === undefined || !live.has(owner);',
        replace: 'return owner !== me && live.size > 0;',
      },
    ],
    caughtBy: {
      tests: [conformance('group', 'keeps a partition with its owner until that has finished with it, however long it takes')],
    },
  },
  {
    guard: 'awaited revoke in PostgreSQL',
    driver: 'postgres',
    patches: [
      {
        file: 'src/log/groups/polling-member.ts',
        find: `      await this.#drop(numbers, 'rebalance');`,
        replace: `      void this.#drop(numbers, 'rebalance');`,
      },
    ],
    caughtBy: {
      tests: [conformance('group', 'keeps a partition with its owner until that has finished with it, however long it takes')],
    },
  },
  {
    guard: 'position of the reader before that of the group',
    driver: 'postgres',
    patches: [READERS_POSITION_FORGOTTEN],
    caughtBy: {
      tests: [conformance('group', 'starts where the member says, else where the group has committed, else at the begin')],
    },
  },
];

export const logSets: readonly GuardSet[] = [
  {
    set: 'a partition is taken from nobody who lives',
    driver: 'postgres',
    members: ['group leases in PostgreSQL', 'live owners keep what they own'],
    caughtBy: {
      tests: [conformance('group', 'keeps a partition with its owner until that has finished with it, however long it takes')],
    },
  },
];
