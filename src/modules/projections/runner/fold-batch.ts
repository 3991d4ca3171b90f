import type { Connection, Database } from '../../../database/database.js';
import type { ProgressMove } from '../../../database/partition-progress.js';
import type { LogRecord } from '../../../kernel/record.js';
import type { AdvanceOutcome, Build } from '../build.js';
import type { Builds } from '../builds.js';
import type { BuildLetters } from '../dead-letters/build-letters.js';
import type { FoldPlan } from '../fold/fold-plan.js';
import { FoldSteps } from '../fold/fold-steps.js';
import { RowWindow, type RowEntry } from '../fold/row-window.js';
import type { Row, RowKey } from '../projection.js';
import type { BuildTable } from '../table.js';
import { lockAllRows, lockRows } from './row-locks.js';

/** A build with all it takes to project it. */
export interface BuildWork {
  readonly build: Build;
  readonly plan: FoldPlan;
  readonly table: BuildTable;
}

/** One partition's share of a batch: its records lie in [from, to), and all in between is proven scanned. */
export interface BatchPart extends ProgressMove {
  readonly records: readonly LogRecord[];
}

/** Carries an outcome out of a transaction that must be rolled back. */
class Abandoned extends Error {
  constructor(readonly outcome: AdvanceOutcome) {
    super(outcome);
  }
}

/**
 * Folds a batch in one transaction: progress first (compare-and-set of offset and epoch), then what stands aside, then one read of
 * the touched rows, one upsert and one remove, whatever the number of events. Decoding and key finding are done before the
 * transaction begins. Nothing happened unless it returns `advanced`.
 * @throws EventFailure when a record is at fault; errors of the database as they came.
 */
export async function foldBatch(
  database: Pick<Database, 'transaction'>,
  builds: Pick<Builds, 'advance'>,
  work: BuildWork,
  parts: readonly BatchPart[],
  letters: BuildLetters | null = null,
): Promise<AdvanceOutcome> {
  const records = parts.flatMap((part) => part.records);
  const sorting = letters?.sort();
  if (!letters || !sorting) return foldGuarded(database, work, records, (on) => builds.advance(on, work.build.id, parts));
  let open = 0;
  const taken = records.filter((record) => letters.takes(record, sorting));
  const outcome = await foldGuarded(database, work, taken, async (on) => {
    const advanced = await builds.advance(on, work.build.id, parts);
    if (advanced === 'advanced') open = await letters.write(on, sorting);
    return advanced;
  });
  if (outcome === 'advanced') letters.committed(sorting, open);
  return outcome;
}

/**
 * Folds records in one transaction that begins with `guard`, and is rolled back unless that says `advanced`.
 * @throws as {@link foldBatch}
 */
export async function foldGuarded(
  database: Pick<Database, 'transaction'>,
  work: BuildWork,
  records: readonly LogRecord[],
  guard: (on: Connection) => Promise<AdvanceOutcome>,
): Promise<AdvanceOutcome> {
  const { build, plan } = work;
  const rows = new RowWindow(false);
  const steps = new FoldSteps();
  rows.beginBatch();
  for (const record of records) plan.gather(record, rows, steps);
  try {
    await database.transaction(async (connection) => {
      const outcome = await guard(connection);
      if (outcome !== 'advanced') throw new Abandoned(outcome);
      if (steps.length === 0) return;
      if (plan.hasRaw) await lockAllRows(connection, build.id);
      else if (plan.shared) await lockRows(connection, build.id, rows.touched);
      await applySteps(connection, work, rows, steps);
    });
    return 'advanced';
  } catch (error) {
    if (error instanceof Abandoned) return error.outcome;
    throw error;
  }
}

/** Runs the steps in order and writes what they changed. Raw handlers see what was folded before them. */
export async function applySteps(
  connection: Connection,
  { plan, table }: BuildWork,
  rows: RowWindow,
  steps: FoldSteps,
): Promise<void> {
  for (let from = 0; from < steps.length;) {
    const raw = steps.nextRaw(from);
    if (rows.unread.length > 0) rows.read(await table.readKeys(connection, rows.unread.map(keyOf)));
    plan.fold(steps, from, raw);
    await writeDirty(connection, table, rows.touched);
    if (raw < steps.length) {
      await plan.runRaw(steps, raw, { transaction: connection, table: table.qualifiedName });
      rows.distrust();
      for (let i = raw + 1; i < steps.length; i++) {
        const entry = steps.entries[i];
        if (entry) rows.touch(entry.text, entry.key);
      }
    }
    from = raw + 1;
  }
}

async function writeDirty(connection: Connection, table: BuildTable, entries: readonly RowEntry[]): Promise<void> {
  const changed: Row[] = [];
  const gone: RowKey[] = [];
  for (const entry of entries) {
    if (!entry.dirty) continue;
    if (entry.row) changed.push(entry.row);
    else if (entry.stored) gone.push(entry.key);
    entry.dirty = false;
    entry.stored = entry.row !== null;
  }
  if (changed.length > 0) await table.upsert(connection, changed);
  if (gone.length > 0) await table.remove(connection, gone);
}

export function keyOf(entry: RowEntry): RowKey {
  return entry.key;
}
