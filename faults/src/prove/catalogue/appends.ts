import type { Guard, GuardSet } from '../guard.js';

const FUNCTIONS = 'src/modules/aggregates/append-functions.ts';
const LOG_FUNCTIONS = 'src/log/postgres/append-functions.ts';
const RUN = 'src/modules/aggregates/command-run.ts';
const append = (name: string) => ({ file: 'test/aggregates/append.test.ts', name });
const ahead = (name: string) => ({ file: 'test/aggregates/decided-ahead.test.ts', name });
const together = (name: string) => ({ file: 'test/aggregates/group-together.test.ts', name });
const claims = {
  file: 'test/aggregates/unique-claims.test.ts',
  name: 'waits for whoever is claiming the same value in another partition: after its %s the value is %s',
};

const rolledBack = {
  file: 'test/aggregates/own-transaction.test.ts',
  name: 'leaves nothing behind after a ROLLBACK, not even in memory',
};

export const appendGuards: readonly Guard[] = [
  {
    guard: 'partition lock',
    driver: 'postgres',
    patches: [
      {
        file: LOG_FUNCTIONS,
        find: 'perform pg_catalog.pg_advisory_xact_lock(${schema}.partition_lock(p_topic_ids[1], p_partitions[1]));',
        replace: '',
      },
      { file: LOG_FUNCTIONS, find: 'perform pg_catalog.pg_advisory_xact_lock(v_key);', replace: 'null;' },
      {
        file: FUNCTIONS,
        find: 'v_known := pg_catalog.pg_advisory_xact_lock(${schema}.partition_lock(p_topic_id, p_partition))::text;',
        replace: 'null;',
      },
    ],
    caughtBy: {
      tests: [
        {
          file: 'test/log/postgres/append-order.test.ts',
          name: 'stays dense when sixteen processes append to the same partitions, and none of their records is lost',
        },
      ],
    },
  },
  {
    guard: 'append in READ COMMITTED only',
    driver: 'postgres',
    patches: [
      {
        file: LOG_FUNCTIONS,
        find: "if pg_catalog.current_setting('transaction_isolation') <> 'read committed' then",
        replace: 'if false then',
      },
    ],
    caughtBy: { tests: [append('is refused in a transaction that does not see what was committed before its lock')] },
  },
  {
    guard: 'head check',
    driver: 'postgres',
    patches: [
      { file: FUNCTIONS, find: 'if v_head <> p_expected then', replace: 'if false then' },
      { file: FUNCTIONS, find: 'when l.head + coalesce(sum(l.events) over earlier, 0) <> l.expected', replace: 'when false' },
    ],
    caughtBy: { tests: [append('conflicts when the stream is elsewhere, whether behind or ahead, and leaves no hole')] },
  },
  {
    guard: 'unique stream version',
    driver: 'postgres',
    patches: [
      {
        file: 'src/log/postgres/migrations.ts',
        find: 'create unique index log_records_stream',
        replace: 'create index log_records_stream',
      },
    ],
    caughtBy: { tests: [append('has unique versions as the second line of defence')] },
  },
  {
    guard: 'command id looked up first',
    driver: 'postgres',
    patches: [
      { file: FUNCTIONS, find: 'if v_hash is not null then', replace: 'if false then' },
      {
        file: FUNCTIONS,
        find: '(select k from ${schema}.commands k where k.stream = g.stream and k.command_id = g.command_id) as known',
        replace: 'null::${schema}.commands as known',
      },
    ],
    caughtBy: { tests: [append('meets its own id before it meets its own event as a conflict')] },
  },
  {
    guard: 'command id looked up before it is refused',
    driver: 'postgres',
    patches: [
      { file: RUN, find: 'const command = this.#mayRepeat ? this.#identity : null;', replace: 'const command = null;' },
    ],
    caughtBy: {
      tests: [{ file: 'test/aggregates/execute.test.ts', name: 'is not refused for what it has itself brought about' }],
    },
  },
  {
    guard: 'append decided on another sent only where that was appended',
    driver: 'postgres',
    patches: [
      {
        file: 'src/modules/aggregates/append-fate.ts',
        find: 'if (this.#before !== null && this.#before.#appended === false) this.settle(false);',
        replace: '',
      },
    ],
    caughtBy: { tests: [ahead('is not made when that one fails, %s')] },
  },
  {
    guard: 'commands of a stream judged only up to the first that fails',
    driver: 'postgres',
    patches: [
      {
        file: FUNCTIONS,
        find: "case when (o.known).stream is not null or coalesce(bool_and(o.outcome = 'appended') over earlier, true) then o.outcome else 'later' end as outcome",
        replace: 'o.outcome as outcome',
      },
    ],
    caughtBy: { tests: [append('judges none of a stream that comes after one which fails')] },
  },
  {
    guard: 'one command of a stream in a group claims values',
    driver: 'postgres',
    patches: [{ file: FUNCTIONS, find: ' or l.claims and count(*) over earlier > 0', replace: '' }],
    caughtBy: { tests: [append('leaves a second command of a stream that claims a value to the next group')] },
  },
  {
    guard: 'refusal ahead of a commit told only once that is committed',
    driver: 'postgres',
    patches: [{ file: RUN, find: 'if (!(await fate.settled())) continue;', replace: '' }],
    caughtBy: { tests: [ahead('are accepted where what would have refused them has failed')] },
  },
  {
    guard: 'nothing decided on what a repeated command would have written',
    driver: 'postgres',
    patches: [
      {
        file: 'src/modules/aggregates/append-queue.ts',
        find: "this.request.fate.settle(outcome.outcome === 'appended');",
        replace: "this.request.fate.settle(outcome.outcome === 'appended' || outcome.outcome === 'repeated');",
      },
    ],
    caughtBy: { tests: [ahead('are not %s for what a repeated one would have decided now')] },
  },
  {
    guard: 'refusal ahead of an answer compared with the log',
    driver: 'postgres',
    patches: [
      {
        file: RUN,
        find: 'if (current.version === known.version) throw done.refused;',
        replace: 'throw done.refused;',
      },
    ],
    caughtBy: {
      tests: [{ file: 'test/aggregates/stale-state.test.ts', name: 'is not %s for less than its caller has seen' }],
    },
  },
  {
    guard: 'group appended at once only where no id is known and all heads stand',
    driver: 'postgres',
    patches: [
      {
        file: 'src/modules/aggregates/append-group-function.ts',
        find: '  if exists (\n',
        replace: '  if false and exists (\n',
      },
    ],
    caughtBy: { tests: [together('appends what judging each command would, to the same places, with the same answers')] },
  },
  {
    guard: 'events of a group appended at once go to their own topics',
    driver: 'postgres',
    patches: [
      {
        file: 'src/modules/aggregates/append-group-function.ts',
        find: 'v_at[w.line], p_topic_ids[w.line],',
        replace: 'v_at[w.line], p_topic_ids[1],',
      },
    ],
    caughtBy: { tests: [together('appends what judging each command would, to the same places, with the same answers')] },
  },
  {
    guard: 'nothing decided on a place that is only guessed',
    driver: 'postgres',
    patches: ['false', 'remembered === null'].map((founding) => ({
      file: RUN,
      find: `return decided.guessed ? null : this.#handOver(decided, ${founding});`,
      replace: `return this.#handOver(decided, ${founding});`,
    })),
    caughtBy: { tests: [ahead('is decided on as they stand in the log, where evolve %s')] },
  },
  {
    guard: 'nothing decided on an append that is known to be lost',
    driver: 'postgres',
    patches: [
      {
        file: 'src/modules/aggregates/stream-turns.ts',
        find: 'return ahead?.fate.isLost() ? null : ahead;',
        replace: 'return ahead;',
      },
    ],
    caughtBy: {
      tests: [
        {
          file: 'test/aggregates/stream-turns.test.ts',
          name: 'shows nothing that is known to be lost, or was decided on what is, though its owner has yet to forget it',
        },
      ],
    },
  },
  {
    guard: 'look-up after a lost answer to an append',
    driver: 'postgres',
    patches: [
      {
        file: 'src/modules/aggregates/appender.ts',
        find: 'return (await Promise.all(parts.map((part) => this.#lookUp(part, error, until)))).flat();',
        replace: 'for (const part of parts) if (until > 0) rejectUnknown(part, error.message, error);\n      return [];',
      },
    ],
    caughtBy: {
      tests: [
        {
          file: 'test/aggregates/unknown-outcome.test.ts',
          name: 'books once when the connection is %s between COMMIT and its answer',
        },
      ],
    },
  },
  {
    guard: 'streams in memory changed after COMMIT',
    driver: 'postgres',
    patches: [
      {
        file: RUN,
        find: '    if (this.place.shared) {\n      const state',
        replace: '    if (this.place) {\n      const state',
      },
    ],
    caughtBy: {
      tests: [rolledBack],
    },
  },
  {
    guard: 'remembered state compared before a refusal',
    driver: 'postgres',
    patches: [{ file: RUN, find: 'if (!known) throw error;', replace: 'throw error;' }],
    caughtBy: {
      tests: [
        { file: 'test/aggregates/stale-state.test.ts', name: 'is accepted once another process has written what it lacked' },
      ],
    },
  },
  {
    guard: 'snapshot of the same evolve only',
    driver: 'postgres',
    patches: [
      {
        file: 'src/modules/aggregates/load-function.ts',
        find: 'where n.stream = w.stream and n.fingerprint = w.fingerprint and',
        replace: 'where n.stream = w.stream and w.fingerprint is not null and',
      },
    ],
    caughtBy: {
      tests: [
        { file: 'test/aggregates/snapshots.test.ts', name: 'ignores a snapshot that another evolve has made, and replaces it' },
      ],
    },
  },
  {
    guard: 'unique claims: lock of the value',
    driver: 'postgres',
    patches: [
      {
        file: FUNCTIONS,
        find: "perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended(${quoteLiteral(schema)} || '/claims/' || v_bucket::text, 7216));",
        replace: 'null;',
      },
    ],
    caughtBy: { tests: [claims] },
  },
  {
    guard: 'unique claims: look at who holds the value',
    driver: 'postgres',
    patches: [
      { file: FUNCTIONS, find: 'if v_taken is not null then', replace: 'if false then' },
      { file: FUNCTIONS, find: 'if v_claim.taken then', replace: 'if false then' },
    ],
    caughtBy: { tests: [append('claims a value, is refused one of another stream, and gives back what it no longer holds')] },
  },
  {
    guard: 'unique claims: key of the value',
    driver: 'postgres',
    patches: [
      {
        file: 'src/modules/aggregates/migrations.ts',
        find: 'primary key (tenant, name, value)',
        replace: 'primary key (tenant, name, value, stream)',
      },
    ],
    caughtBy: { tests: [claims] },
  },
];

export const appendSets: readonly GuardSet[] = [
  {
    set: 'nothing is appended on a state that was rolled back',
    driver: 'postgres',
    members: ['streams in memory changed after COMMIT', 'head check'],
    caughtBy: { tests: [rolledBack] },
  },
  {
    set: 'refused only for what has come about',
    driver: 'postgres',
    members: ['refusal ahead of a commit told only once that is committed', 'refusal ahead of an answer compared with the log'],
    caughtBy: { tests: [ahead('are accepted where what would have refused them has failed')] },
  },
  {
    set: 'unique claims',
    driver: 'postgres',
    members: ['unique claims: lock of the value', 'unique claims: key of the value'],
    caughtBy: { tests: [claims] },
  },
];
