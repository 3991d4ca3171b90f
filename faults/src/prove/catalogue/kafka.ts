import type { Guard, GuardSet } from '../guard.js';
import { READERS_POSITION_FORGOTTEN } from './log.js';

const conformance = (declared: string, name: string) => ({
  file: 'test/log/kafka/one-broker.test.ts',
  declaredIn: `src/testing/log-conformance/${declared}-tests.ts`,
  name,
});
const transactions = (name: string) => ({ file: 'test/log/kafka/transactions.test.ts', name });

export const kafkaGuards: readonly Guard[] = [
  {
    guard: 'session fencing',
    driver: 'kafka',
    patches: [
      {
        file: 'src/log/kafka/kafka-log.ts',
        find: 'const producer = new TransactionalProducer(this.#cluster, task, maxRecordBytes);',
        replace: 'const producer = new TransactionalProducer(this.#cluster, `${task} ${Math.random()}`, maxRecordBytes);',
      },
    ],
    caughtBy: { tests: [transactions('of a zombie that wakes at its commit are refused, and nothing of them is seen')] },
  },
  {
    guard: 'read committed',
    driver: 'kafka',
    patches: [
      { file: 'src/log/kafka/wire/api/fetch.ts', find: 'const READ_COMMITTED = 1;', replace: 'const READ_COMMITTED = 0;' },
    ],
    caughtBy: { tests: [transactions('keep what follows one that is open from its readers, until it ends')] },
  },
  {
    guard: 'seek on mismatch after a join',
    driver: 'kafka',
    patches: [READERS_POSITION_FORGOTTEN],
    caughtBy: {
      tests: [conformance('group', 'starts where the member says, else where the group has committed, else at the begin')],
    },
  },
  {
    guard: 'awaited revoke',
    driver: 'kafka',
    patches: [
      {
        file: 'src/log/kafka/groups/kafka-member.ts',
        find: `        await this.#drop(taken, 'rebalance');`,
        replace: `        void this.#drop(taken, 'rebalance');`,
      },
    ],
    caughtBy: {
      tests: [conformance('group', 'keeps a partition with its owner until that has finished with it, however long it takes')],
    },
  },
  {
    guard: 'membership asked after a silence',
    driver: 'kafka',
    patches: [
      {
        file: 'src/log/kafka/groups/kafka-member.ts',
        find: 'if (!membership.isFresh) await this.#confirm();',
        replace: '',
      },
    ],
    caughtBy: {
      tests: [
        {
          file: 'test/log/kafka/groups.test.ts',
          name: 'gives nothing to a member whose connections are gone for longer than its session, until it has been heard of again',
        },
      ],
    },
  },
  {
    guard: 'sequence numbers of batches',
    driver: 'kafka',
    patches: [
      {
        file: 'src/log/kafka/writing/batches.ts',
        find: 'bytes: encodeBatch(records, { producerId, epoch, transactional, sequence }, Date.now()),',
        replace: 'bytes: encodeBatch(records, { producerId: -1n, epoch: -1, transactional, sequence }, Date.now()),',
      },
    ],
    caughtBy: { tests: [transactions('written once when the answer to a batch is lost')] },
  },
];

export const kafkaSets: readonly GuardSet[] = [];
