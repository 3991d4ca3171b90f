import type { Guard, GuardSet } from '../guard.js';

const RELAY = 'src/modules/aggregates/relay/partition-relay.ts';
const SESSIONS = 'src/modules/aggregates/relay/alternating-sessions.ts';
const faults = (name: string) => ({ file: 'test/aggregates/relay/relay-faults.test.ts', name });

export const relayGuards: readonly Guard[] = [
  {
    guard: 'relay position read after fencing',
    driver: 'kafka',
    patches: [
      {
        file: RELAY,
        find: 'sessions = await AlternatingSessions.open(log,',
        replace:
          'const early = await this.context.positions.of(this.key);\n        sessions = await AlternatingSessions.open(log,',
      },
      { file: RELAY, find: 'await this.#relay(sessions, signal);', replace: 'await this.#relay(sessions, signal, early);' },
      {
        file: RELAY,
        find: 'async #relay(sessions: AlternatingSessions, signal: AbortSignal)',
        replace:
          "async #relay(sessions: AlternatingSessions, signal: AbortSignal, early: Awaited<ReturnType<RelayPositions['of']>>)",
      },
      {
        file: RELAY,
        find: 'await startingPoint(this.key, await positions.of(this.key),',
        replace: 'await startingPoint(this.key, early,',
      },
    ],
    caughtBy: { tests: [faults('reads its position only after it has fenced whoever wrote before')] },
  },
  {
    guard: 'relay position agrees with its topic',
    driver: 'kafka',
    patches: [
      {
        file: 'src/modules/aggregates/relay/starting-point.ts',
        find: 'if (stored && stored.next !== relayed.end) throw',
        replace: 'if (stored && stored.next < 0) throw',
      },
    ],
    caughtBy: { tests: [faults('refuses to go on from a position that its topic does not bear out')] },
  },
  {
    guard: 'relay sessions opened and used in one order',
    driver: 'kafka',
    patches: [{ file: SESSIONS, find: '#turn = 0;', replace: '#turn = 1;' }],
    caughtBy: { tests: [faults('keeps its sessions apart where two owners open them in turns')] },
  },
  {
    guard: 'relay looks at its lease when it is fenced',
    driver: 'kafka',
    patches: [{ file: RELAY, find: 'if (!(await this.#stillOurs(signal))) return false;', replace: '' }],
    caughtBy: { tests: [faults('lets the partition go when it is fenced and another owns it')] },
  },
  {
    guard: 'awaited revoke of the relay',
    driver: 'kafka',
    patches: [
      {
        file: 'src/modules/aggregates/relay/relay.ts',
        find: "if (reason !== 'lost') await Promise.all(stopped);",
        replace: "if (reason !== 'lost') void Promise.all(stopped);",
      },
    ],
    caughtBy: { tests: [faults('gives a partition up only after its transaction has ended, however long it takes')] },
  },
  {
    guard: 'relay position in the transaction of its events',
    driver: 'kafka',
    patches: [
      {
        file: RELAY,
        find: 'await sessions.write([...rows.map(relayedRecord), position]);',
        replace: 'await sessions.write(rows.map(relayedRecord));\n      await sessions.write([position]);',
      },
    ],
    caughtBy: {
      tests: [faults('repeats and loses nothing when a commit has no answer and the connection was lost %s it took effect')],
    },
  },
  {
    guard: 'rows without a gap',
    driver: 'kafka',
    patches: [
      {
        file: 'src/modules/aggregates/relay/relay-queue.ts',
        find: '      if (row.offset > this.#expected) {\n        this.#wake?.();\n        return false;\n      }\n',
        replace: '',
      },
    ],
    caughtBy: { tests: [faults('stops a partition whose rows have a gap, and tells where')] },
  },
];

export const relaySets: readonly GuardSet[] = [];
