import type { Connection, Database, Queryable } from '../../../database/database.js';
import { isConnectionError, isStatementOfNoUse } from '../../../database/database-errors.js';
import type { KeptPlans } from '../../../database/kept-plans.js';
import type { LogRecord } from '../../../kernel/record.js';
import type { RecordSource } from '../../../log/event-log.js';
import type { AdvanceOutcome, Build } from '../build.js';
import type { Builds } from '../builds.js';
import type { BuildLetters } from '../dead-letters/build-letters.js';
import type { FoldPlan } from '../fold/fold-plan.js';
import { FoldSteps } from '../fold/fold-steps.js';
import { RowWindow, type RowEntry } from '../fold/row-window.js';
import type { Row, RowKey } from '../projection.js';
import type { BuildTable } from '../table.js';
import type { BatchPart } from './batch-part.js';
import { foldKnownFirst } from './fold-known-first.js';
import type { KeptRows } from './kept-rows.js';
import { lockAllRows, lockRows } from './row-locks.js';

/** A build with all it takes to project it. */
export interface BuildWork {
  readonly build: Build;
  readonly plan: FoldPlan;
  readonly table: BuildTable;
}

/** What a runner has from one batch to the next. */
export interface Kept {
  readonly rows: KeptRows | null;
  readonly plans: KeptPlans | null;
}

const NOTHING: Kept = { rows: null, plans: null };

/** Rows of a batch up to which its plans are kept. They are made for some ten rows, and good for some hundreds. */
const FEW_ROWS = 256;

/** Carries an outcome out of a transaction that must be rolled back. */
class Abandoned extends Error {
  constructor(readonly outcome: AdvanceOutcome) {
    super(outcome);
  }
}

/**
 * Folds a batch: one read of the touched rows, and one statement for progress (compare-and-set of offset and epoch) and rows,
 * whatever the number of events. Where rows are shared, something stands aside or a handler is raw, that is a transaction: progress
 * first, then what stands aside, then read, upsert and remove. Nothing happened unless it returns `advanced`.
 * @throws EventFailure when a record is at fault; errors of the database as they came.
 */
export async function foldBatch(
  database: Pick<Database, 'transaction' | 'query'>,
  builds: Pick<Builds, 'advance' | 'advanceAndWrite'>,
  work: BuildWork,
  parts: readonly BatchPart[],
  letters: BuildLetters | null = null,
  kept: Kept = NOTHING,
): Promise<AdvanceOutcome> {
  if (!work.plan.shared && !letters?.parked.watchful) return foldOwned(database, builds, work, parts, parts, kept);
  kept.rows?.drop();
  const all = recordsOf(parts);
  const sorting = letters?.sort();
  const taken = letters && sorting ? all.filter((record) => letters.takes(record, sorting)) : all;
  let open = letters?.parked.open ?? 0;
  const outcome =
    work.plan.shared || (sorting?.asides.length ?? 0) > 0
      ? await foldGuarded(
          database,
          work,
          taken,
          async (on, connection) => {
            const advanced = await builds.advance(on, work.build.id, parts);
            if (advanced === 'advanced' && letters && sorting) open = await letters.write(connection, sorting);
            return advanced;
          },
          kept.plans,
        )
      : await foldOwned(database, builds, work, parts, [taken], { ...kept, rows: null });
  if (outcome === 'advanced' && letters && sorting) letters.committed(sorting, open);
  return outcome;
}

/**
 * Rows that nobody but the owner of the partition writes may be read before the progress is looked at: whoever wrote them since was
 * an owner, whose move or claim the compare-and-set meets. What failed, other than a connection, may have failed over such rows, and
 * counts only when it fails again in a transaction that looks at the progress first.
 */
async function foldOwned(
  database: Pick<Database, 'transaction' | 'query'>,
  builds: Pick<Builds, 'advance' | 'advanceAndWrite'>,
  work: BuildWork,
  parts: readonly BatchPart[],
  sources: readonly RecordSource[],
  kept: Kept,
): Promise<AdvanceOutcome> {
  const { build, plan, table } = work;
  const rows = kept.rows?.take() ?? new RowWindow(false);
  try {
    await kept.plans?.look(database);
    const on = (purpose: string): Queryable => planned(database, rows, kept.plans, purpose);
    await foldKnownFirst(plan, sources, rows, async () => rows.read(await table.readKeys(on('read'), rows.unread.map(keyOf))));
    const { changed, gone } = takeDirty(rows.touched);
    const outcome = await builds.advanceAndWrite(on('write'), build.id, parts, table.writes(changed, gone));
    if (outcome === 'advanced') kept.rows?.keep(rows, plan.codec);
    return outcome;
  } catch (error) {
    if (isConnectionError(error)) throw error;
    const records = sources.flatMap((source) => source.slice(0, source.length));
    return foldGuarded(database, work, records, (on) => builds.advance(on, build.id, parts));
  }
}

/**
 * Folds records in one transaction that begins with `guard`, and is rolled back unless that says `advanced`. `plans` are of the
 * progress and the build's table: what else `guard` does goes on the plain connection, its second.
 * @throws as {@link foldBatch}
 */
export async function foldGuarded(
  database: Pick<Database, 'transaction' | 'query'>,
  work: BuildWork,
  records: readonly LogRecord[],
  guard: (on: Queryable, connection: Queryable) => Promise<AdvanceOutcome>,
  plans: KeptPlans | null = null,
): Promise<AdvanceOutcome> {
  const { build, plan } = work;
  const { rows, steps } = gathered(plan, records);
  await plans?.look(database);
  try {
    await database.transaction(async (connection) => {
      const on = planned(connection, rows, plans, 'shared');
      const outcome = await guard(on, connection);
      if (outcome !== 'advanced') throw new Abandoned(outcome);
      if (steps.length === 0) return;
      if (plan.hasRaw) await lockAllRows(on, build.id);
      else if (plan.shared) await lockRows(on, build.id, rows.touched);
      await applySteps(connection, on, work, rows, steps);
    });
    return 'advanced';
  } catch (error) {
    if (error instanceof Abandoned) return error.outcome;
    // Other connections may have plans of no use, too.
    if (plans !== null && isStatementOfNoUse(error)) return foldGuarded(database, work, records, guard);
    throw error;
  }
}

function recordsOf(parts: readonly BatchPart[]): readonly LogRecord[] {
  return parts.flatMap((part) => part.records);
}

/** What a batch will do, and the rows that it will touch. @throws EventFailure */
function gathered(plan: FoldPlan, records: readonly LogRecord[]): { readonly rows: RowWindow; readonly steps: FoldSteps } {
  const rows = new RowWindow(false);
  const steps = new FoldSteps();
  rows.beginBatch();
  for (const record of records) plan.gather(record, rows, steps);
  return { rows, steps };
}

/** Plans are kept by whoever has them, for batches of few rows. */
function planned(on: Queryable, rows: RowWindow, plans: KeptPlans | null, purpose: string): Queryable {
  return plans === null || rows.touched.length > FEW_ROWS ? on : plans.on(on, purpose);
}

/** Runs the steps in order and writes what they changed. Raw handlers see what was folded before them. */
async function applySteps(
  connection: Connection,
  on: Queryable,
  { plan, table }: BuildWork,
  rows: RowWindow,
  steps: FoldSteps,
): Promise<void> {
  for (let from = 0; from < steps.length;) {
    const raw = steps.nextRaw(from);
    if (rows.unread.length > 0) rows.read(await table.readKeys(on, rows.unread.map(keyOf)));
    plan.fold(steps, from, raw);
    await writeDirty(on, table, rows.touched);
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

async function writeDirty(on: Queryable, table: BuildTable, entries: readonly RowEntry[]): Promise<void> {
  const { changed, gone } = takeDirty(entries);
  if (changed.length > 0) await table.upsert(on, changed);
  if (gone.length > 0) await table.remove(on, gone);
}

/** What differs from the table, which is to be written now. */
function takeDirty(entries: readonly RowEntry[]): { readonly changed: readonly Row[]; readonly gone: readonly RowKey[] } {
  const changed: Row[] = [];
  const gone: RowKey[] = [];
  for (const entry of entries) {
    if (!entry.dirty) continue;
    if (entry.row) changed.push(entry.row);
    else if (entry.stored) gone.push(entry.key);
    entry.dirty = false;
    entry.stored = entry.row !== null;
  }
  return { changed, gone };
}

export function keyOf(entry: RowEntry): RowKey {
  return entry.key;
}
