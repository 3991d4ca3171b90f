import type { Guard, GuardSet } from '../guard.js';

const STORE = 'src/modules/policies/policy-store.ts';
const policies = (name: string) => ({ file: 'test/policies/policies.test.ts', name });
const store = (name: string) => ({ file: 'test/policies/policy-store.test.ts', name });

export const policyGuards: readonly Guard[] = [
  {
    guard: 'command id of the event',
    driver: 'postgres',
    patches: [
      {
        file: 'src/modules/policies/command-id.ts',
        find: "const id = `${policy}:${eventId}:${commandName}${number > 1 ? `:${number}` : ''}`;",
        replace: 'const id = `${policy}:${eventId}:${commandName}:${number}:${Math.random()}`;',
      },
    ],
    caughtBy: { tests: [policies('takes a command that was carried out before for done, whatever the handler says now')] },
  },
  {
    guard: 'progress of a policy after its commands',
    driver: 'postgres',
    patches: [
      {
        file: 'src/modules/policies/engine/event-handler.ts',
        find: '        this.#count(record, await handleEvent(record, this.context));\n        return this.#close(record);',
        replace:
          '        this.#close(record);\n        this.#count(record, await handleEvent(record, this.context));\n        return null;',
      },
    ],
    caughtBy: {
      tests: [
        policies('starts at the beginning where it says so, and where it stood after that'),
        policies('waits out what it waits for, and sets nothing aside for it'),
      ],
    },
  },
  {
    guard: "owner epoch of a policy's progress",
    driver: 'postgres',
    patches: [
      {
        file: STORE,
        find: 'advance: advanceStatement(progress),',
        replace:
          "advance: advanceStatement(progress).replace(' or owner_epoch <> epoch', '').replace('p.owner_epoch = given.epoch and ', ''),",
      },
    ],
    caughtBy: { tests: [store('is moved under the last epoch alone, also where a former owner stands at the same offset')] },
  },
  {
    guard: 'letters of a policy settled by its owner alone',
    driver: 'postgres',
    patches: [
      {
        file: STORE,
        find: 'and p.partition = $3 and p.owner_epoch = $4',
        replace: 'and p.partition = $3 and $4::bigint is not null',
      },
    ],
    caughtBy: { tests: [store('is owned under the last epoch alone')] },
  },
  {
    guard: 'awaited revoke of policies',
    driver: 'postgres',
    patches: [
      {
        file: 'src/modules/policies/engine/policy-runner.ts',
        find: 'await inLanes(',
        replace: 'void inLanes(',
      },
    ],
    caughtBy: {
      tests: [policies('keeps its partitions until all under way is handled, and hands nothing over half done')],
    },
  },
];

export const policySets: readonly GuardSet[] = [];
