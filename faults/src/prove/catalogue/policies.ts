import type { Guard, GuardSet } from '../guard.js';

const policies = (name: string) => ({ file: 'test/policies/policies.test.ts', name });
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
];

export const policySets: readonly GuardSet[] = [];
