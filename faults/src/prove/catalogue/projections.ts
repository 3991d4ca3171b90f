import type { Guard } from '../guard.js';

const PROGRESS = 'src/database/partition-progress.ts';
const VERDICT = 'bool_or(next_offset <> from_offset or owner_epoch <> epoch)';
const MOVED = 'and p.owner_epoch = given.epoch and p.next_offset = given.from_offset';
const store = (name: string) => ({ file: 'test/projections/build-store.test.ts', name });
const swap = (name: string) => ({ file: 'test/projections/swap.test.ts', name });
const letters = (name: string) => ({ file: 'test/projections/engines/dead-letters.test.ts', name });
const lettersOnDrivers = (name: string) => ({
  file: 'test/projections/engines/dead-letters-drivers.test.ts',
  declaredIn: 'test/projections/engines/dead-letters-on.ts',
  name,
});
const outages = (name: string) => ({ file: 'test/projections/engines/outages.test.ts', name });
const owners = (name: string) => ({ file: 'test/projections/engines/owners.test.ts', name });
const keptRows = (name: string) => ({ file: 'test/projections/engines/kept-rows.test.ts', name });
const byPartition = (name: string) => ({ file: 'test/projections/engines/rebuild-by-partition.test.ts', name });
const ADVANCES = store('advances by offset and epoch, all partitions or none');

export const projectionGuards: readonly Guard[] = [
  {
    guard: 'epoch compare-and-set',
    driver: 'postgres',
    patches: [
      { file: PROGRESS, find: VERDICT, replace: 'bool_or(next_offset <> from_offset)' },
      { file: PROGRESS, find: MOVED, replace: 'and p.next_offset = given.from_offset' },
    ],
    caughtBy: { tests: [ADVANCES] },
  },
  {
    guard: 'offset compare-and-set',
    driver: 'postgres',
    patches: [
      { file: PROGRESS, find: VERDICT, replace: 'bool_or(owner_epoch <> epoch)' },
      { file: PROGRESS, find: MOVED, replace: 'and p.owner_epoch = given.epoch' },
    ],
    caughtBy: { tests: [ADVANCES] },
  },
  {
    guard: 'row locks of shared rows',
    driver: 'postgres',
    patches: [
      {
        file: 'src/modules/projections/runner/fold-batch.ts',
        find: 'else if (plan.shared) await lockRows(on, build.id, rows.touched);',
        replace: '',
      },
    ],
    caughtBy: {
      tests: [
        {
          file: 'test/projections/engines/shared-rows.test.ts',
          name: 'a row that two partitions change at once has the changes of both',
        },
      ],
    },
  },
  {
    guard: 'claim of a given-up build refused',
    driver: 'postgres',
    patches: [
      {
        file: 'src/modules/projections/build-statements.ts',
        find: "where: `b.id = p.build_id and b.state in ('building', 'catching-up', 'ready', 'live', 'standby')`",
        replace: 'where: `b.id = p.build_id`',
      },
      {
        file: 'src/modules/projections/build-store.ts',
        find: "const ended = !CLAIMABLE.includes((await this.get(build))?.state ?? 'dropped');",
        replace: 'const ended = false;',
      },
    ],
    caughtBy: { tests: [store('fences whoever still works on a build that was given up, and lets nobody claim it')] },
  },
  {
    guard: 'epochs raised where a build is given up',
    driver: 'postgres',
    patches: [
      {
        file: 'src/modules/projections/build-statements.ts',
        find: 'where $6 and p.build_id = moved.id',
        replace: 'where $6 and p.build_id = moved.id and false',
      },
    ],
    caughtBy: { tests: [store('fences whoever still works on a build that was given up, and lets nobody claim it')] },
  },
  {
    guard: 'states of builds move along their table',
    driver: 'postgres',
    patches: [
      {
        file: 'src/modules/projections/build-statements.ts',
        find: 'where id = $1 and state = any($3::text[]) for update',
        replace: 'where id = $1 and $3::text[] is not null for update',
      },
    ],
    caughtBy: { tests: [store('moves states along the table only, and says what stands in the way')] },
  },
  {
    guard: 'claim anew after a failed batch',
    driver: 'postgres',
    patches: [
      {
        file: 'src/modules/projections/runner/live-runner.ts',
        find: '      this.#claimAnew = true;\n      if (signal.aborted || this.#isFinal(error)',
        replace: '      if (signal.aborted || this.#isFinal(error)',
      },
    ],
    caughtBy: {
      tests: [outages('before COMMIT leaves nothing out: what was read and not stored is read again')],
    },
  },
  {
    guard: 'seek on mismatch after claiming again',
    driver: 'postgres',
    patches: [
      {
        file: 'src/modules/projections/runner/live-runner.ts',
        find: 'for (const { topic, partition, nextOffset } of claims) member.seek(topicName(topic), partition, offset(nextOffset));',
        replace: '',
      },
    ],
    caughtBy: {
      tests: [
        {
          file: 'test/projections/engines/owners.test.ts',
          name: 'the rightful owner that loses its epochs to a late claim claims again and goes on',
        },
      ],
    },
  },
  {
    guard: 'letters in memory changed after COMMIT',
    driver: 'postgres',
    patches: [
      {
        file: 'src/modules/projections/runner/fold-batch.ts',
        find: "if (advanced === 'advanced' && letters && sorting) open = await letters.write(connection, sorting);",
        replace:
          "if (advanced === 'advanced' && letters && sorting)\n            letters.committed(sorting, (open = await letters.write(connection, sorting)));",
      },
    ],
    caughtBy: {
      tests: [letters('is a letter also where the transaction that set it aside was rolled back for another event')],
    },
  },
  {
    guard: 'letters ordered behind their key',
    driver: 'postgres',
    patches: [
      {
        file: 'src/database/dead-letters/parked-keys.ts',
        find: 'if (!verdict && !this.#isParked(partition, record.key)) return',
        replace: 'if (!verdict) return',
      },
    ],
    caughtBy: { tests: [lettersOnDrivers('is set aside with those of its key behind it, while its neighbours go on')] },
  },
  {
    guard: 'letters settled by the owner alone',
    driver: 'postgres',
    patches: [
      {
        file: 'src/modules/projections/build-statements.ts',
        find: "when p.owner_epoch <> $4 or p.next_offset <> $5 then 'fenced'",
        replace: "when ($4::bigint is null) or ($5::bigint is null) then 'fenced'",
      },
    ],
    caughtBy: { tests: [letters('of a former owner is not settled by it: a retry under a fenced epoch changes nothing')] },
  },
  {
    guard: 'log identity check',
    driver: 'postgres',
    patches: [
      {
        file: 'src/log/check-checkpoints.ts',
        find: 'if (line.log.driver !== driver || line.log.cluster !== cluster) {',
        replace: 'if (driver === cluster) {',
      },
      {
        file: 'src/log/check-checkpoints.ts',
        find: 'lines.find((line) => line.log.incarnation !== described.incarnation)',
        replace: "lines.find((line) => line.log.incarnation === '')",
      },
    ],
    caughtBy: { tests: [store('refuses checkpoints of another log, and those that the log does not hold')] },
  },
  {
    guard: 'truncated log check',
    driver: 'postgres',
    patches: [
      {
        file: 'src/log/check-checkpoints.ts',
        find: 'if (nextOffset < bounds.begin) {',
        replace: 'if (nextOffset < -1) {',
      },
    ],
    caughtBy: { tests: [store('refuses checkpoints of another log, and those that the log does not hold')] },
  },
  {
    guard: 'swap precondition',
    driver: 'postgres',
    patches: [
      {
        file: 'src/modules/projections/swap/swap-transaction.ts',
        find: 'if (options.stale !== true) refuseBehind(flips, progress);',
        replace: '',
      },
    ],
    caughtBy: { tests: [swap('is refused with the distance when the new build is behind on any partition, unless stale')] },
  },
  {
    guard: 'swap locks progress before it looks',
    driver: 'postgres',
    patches: [
      {
        file: 'src/modules/projections/hold-builds.ts',
        find: 'order by p.build_id, p.topic, p.partition for update`',
        replace: 'order by p.build_id, p.topic, p.partition`',
      },
    ],
    caughtBy: { tests: [swap('waits for a commit of the old runner that is under way, and sees what it committed')] },
  },
  {
    guard: 'rows in memory of a rebuild changed after COMMIT',
    driver: 'postgres',
    patches: [
      {
        file: 'src/modules/projections/rebuild/bulk-build.ts',
        find: 'await writeRows(connection, this.work.table, { fresh, changed, gone }, inTime);',
        replace: `await writeRows(connection, this.work.table, { fresh, changed, gone }, inTime);
      for (const list of [fresh, changed, gone]) for (const entry of list) entry.stored = entry.row !== null;
      for (const entry of this.#rows.entries.values()) entry.dirty = false;`,
      },
    ],
    caughtBy: { tests: [outages('before the COMMIT of a rebuild leaves its rows to be written, and none is left out')] },
  },
  {
    guard: 'rows in memory of a rebuild dropped when it claims anew',
    driver: 'postgres',
    patches: [
      {
        file: 'src/modules/projections/rebuild/bulk-build.ts',
        find: 'this.#rows.evict();\n    await this.#letters.load(',
        replace: 'await this.#letters.load(',
      },
    ],
    caughtBy: { tests: [outages('in the middle of a COPY %s stops nothing')] },
  },
  {
    guard: 'rows of a part that has ended read anew in the next pass',
    driver: 'postgres',
    patches: [
      {
        file: 'src/modules/projections/fold/row-window.ts',
        find: 'this.complete = this.#inParts && !isLast;',
        replace: 'this.complete = this.#inParts;',
      },
    ],
    caughtBy: {
      tests: [
        byPartition('finds what its first pass has written in the next, which what was appended meanwhile makes necessary: %s'),
      ],
    },
  },
  {
    guard: 'records of another key than their stream’s looked for in all parts',
    driver: 'postgres',
    patches: [
      {
        file: 'src/modules/projections/fold/fold-plan.ts',
        find: ') rows.mayBeElsewhere();',
        replace: ') rows.beginParts.name;',
      },
    ],
    caughtBy: { tests: [byPartition('folds into one row the records of a stream that others have spread over partitions')] },
  },
  {
    guard: 'rows kept between batches dropped with a batch that was not committed',
    driver: 'postgres',
    patches: [
      {
        file: 'src/modules/projections/runner/kept-rows.ts',
        find: 'const rows = this.#rows ?? new RowWindow(false);\n    this.#rows = null;\n    return rows;',
        replace: 'this.#rows ??= new RowWindow(false);\n    return this.#rows;',
      },
    ],
    caughtBy: {
      tests: [keptRows('are gone with a batch that was fenced, and not read while batches are committed')],
    },
  },
  {
    guard: 'rows kept between batches dropped with their partition',
    driver: 'postgres',
    patches: [
      {
        file: 'src/modules/projections/runner/kept-rows.ts',
        find: 'drop(): void {\n    this.#rows = null;',
        replace: 'drop(): void {',
      },
    ],
    caughtBy: { tests: [keptRows('are read anew where another owner had their partition meanwhile')] },
  },
  {
    guard: 'answer of the build that the pointer names',
    driver: 'postgres',
    patches: [
      {
        file: 'src/modules/serving/projection-reader.ts',
        find: 'first !== undefined && Number(first[this.#stampAt + STAMP.build]) === live.id)',
        replace: 'first !== undefined)',
      },
    ],
    caughtBy: {
      tests: [
        {
          file: 'test/serving/reading.test.ts',
          name: 'never shows one build with the stamp of another while the pointer flips',
        },
      ],
    },
  },
  {
    guard: 'owned rows written only where progress moves',
    driver: 'postgres',
    patches: [
      {
        file: 'src/database/partition-progress.ts',
        find: "export const ADVANCED = `(select outcome from verdict) = 'advanced'`;",
        replace: 'export const ADVANCED = `true`;',
      },
    ],
    caughtBy: { tests: [owners('a former owner writes nothing: its epoch is fenced before any row is touched')] },
  },
  {
    guard: 'failure over owned rows counts only where progress stands',
    driver: 'postgres',
    patches: [
      {
        file: 'src/modules/projections/runner/fold-batch.ts',
        find: 'if (isConnectionError(error)) throw error;',
        replace: 'if (error) throw error;',
      },
    ],
    caughtBy: {
      tests: [owners('a former owner whose fold fails over rows that were moved on is fenced: the record is at no fault')],
    },
  },
  {
    guard: 'records that wait for their row keep its order',
    driver: 'postgres',
    patches: [
      {
        file: 'src/modules/projections/runner/fold-known-first.ts',
        find: '  plan.fold(waiting, 0, waiting.length);\n  waiting.clear();\n  for (const places of later) await foldAt(plan, places, rows, turns);',
        replace:
          '  for (const places of later) await foldAt(plan, places, rows, turns);\n  plan.fold(waiting, 0, waiting.length);\n  waiting.clear();',
      },
    ],
    caughtBy: {
      tests: [
        {
          file: 'test/projections/engines/fold-known-first.test.ts',
          name: 'is folded as event by event, also where most of it waits',
        },
      ],
    },
  },
];
