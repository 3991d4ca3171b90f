import type { Guard, GuardSet } from '../guard.js';

const RELAY = 'src/modules/aggregates/relay/partition-relay.ts';
const PRODUCER = 'src/log/kafka/writing/transactional-producer.ts';
const refused = {
  file: 'test/log/kafka/one-broker.test.ts',
  declaredIn: 'src/testing/log-conformance/writer-tests.ts',
  name: 'is refused once a later one of its task was opened, and the end stays where that one found it',
};
const faults = (name: string) => ({ file: 'test/aggregates/relay/relay-faults.test.ts', name });

export const relayGuards: readonly Guard[] = [
  {
    guard: 'end of the topic read after fencing',
    driver: 'kafka',
    patches: [
      {
        file: RELAY,
        find: 'writer = await log.openWriter(',
        replace:
          'const early = await startingPoint(this.key, null, this.context.outbox, log);\n        writer = await log.openWriter(',
      },
      { file: RELAY, find: 'await this.#relay(writer, signal);', replace: 'await this.#relay(writer, signal, early);' },
      {
        file: RELAY,
        find: 'async #relay(writer: PartitionWriter, signal: AbortSignal)',
        replace: 'async #relay(writer: PartitionWriter, signal: AbortSignal, early: Awaited<ReturnType<typeof startingPoint>>)',
      },
      {
        file: RELAY,
        find: 'const { next, repaired } = await startingPoint(this.key, noted, outbox, log);',
        replace: 'const { next, repaired } = outbox ? early : await startingPoint(this.key, noted, outbox, log);',
      },
    ],
    caughtBy: { tests: [faults('looks at the end of the topic only after it has fenced whoever wrote before')] },
  },
  {
    guard: 'topic does not end before what was relayed',
    driver: 'kafka',
    patches: [
      {
        file: 'src/modules/aggregates/relay/starting-point.ts',
        find: 'if (stored && stored.next > relayed.end) throw',
        replace: 'if (stored && stored.next < 0) throw',
      },
    ],
    caughtBy: { tests: [faults('refuses to go on from a position that its topic does not bear out')] },
  },
  {
    guard: 'relay fencing',
    driver: 'kafka',
    patches: [
      {
        file: 'src/log/kafka/kafka-log.ts',
        find: 'producer: new TransactionalProducer(this.#cluster, task, maxRecordBytes),',
        replace: 'producer: new TransactionalProducer(this.#cluster, `${task} ${Math.random()}`, maxRecordBytes),',
      },
    ],
    caughtBy: { tests: [refused] },
  },
  {
    guard: 'marker by which a leader knows the later writer',
    driver: 'kafka',
    patches: [
      {
        file: PRODUCER,
        find: '    await this.open();\n    try {',
        replace: '    await this.open();\n    if (topic && partition >= 0) return this.#identity;\n    try {',
      },
    ],
    caughtBy: { tests: [refused] },
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
    caughtBy: { tests: [faults('gives a partition up only after its write has ended, however long it takes')] },
  },
  {
    guard: 'writer opened anew after a failure',
    driver: 'kafka',
    patches: [
      {
        file: RELAY,
        find: 'await writer.write(rows.map(relayedRecord));',
        replace: 'await writer.write(rows.map(relayedRecord)).catch(() => writer.write(rows.map(relayedRecord)));',
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
