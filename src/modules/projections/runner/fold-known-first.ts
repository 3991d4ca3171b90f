import { setImmediate as nextTurn } from 'node:timers/promises';
import { PIECE_RECORDS, TURN_RECORDS } from '../../../log/pieces-of.js';
import type { RecordSource } from '../../../log/event-log.js';
import type { FoldPlan } from '../fold/fold-plan.js';
import { FoldSteps } from '../fold/fold-steps.js';
import type { RowWindow } from '../fold/row-window.js';

/**
 * Steps that are kept until their rows are read. What waits beyond is made and decoded once more: of many records that outlive the
 * young generation the engine learns to keep all that are made at the same place among the old, for good.
 */
const KEPT_STEPS = 512;

/** Some records of a source, by their place in it. */
interface Places {
  readonly source: RecordSource;
  readonly at: number[];
}

/**
 * Folds records into rows of which some must be read first. Each record whose row is known is folded at once: neither record nor
 * event is kept then. Records of one row keep their order, for once it waits all that follow wait too. `read` is called at most
 * once, with rows unread, and must take in what the table holds of them.
 * @throws EventFailure; what `read` throws
 */
export async function foldKnownFirst(
  plan: FoldPlan,
  sources: readonly RecordSource[],
  rows: RowWindow,
  read: () => Promise<void>,
): Promise<void> {
  const waiting = new FoldSteps();
  const later: Places[] = [];
  const turns = new Turns();
  rows.beginBatch();
  for (const source of sources) {
    const places: Places = { source, at: [] };
    later.push(places);
    for (let from = 0; from < source.length; from += PIECE_RECORDS) {
      const piece = source.slice(from, from + PIECE_RECORDS);
      await turns.took(piece.length);
      for (const [index, record] of piece.entries()) {
        const first = waiting.length;
        plan.gather(record, rows, waiting);
        if (waiting.areKnown(first)) plan.fold(waiting, first, waiting.length);
        else if (first < KEPT_STEPS) continue;
        else places.at.push(from + index);
        waiting.length = first;
      }
    }
  }
  if (rows.unread.length > 0) await read();
  plan.fold(waiting, 0, waiting.length);
  waiting.clear();
  for (const places of later) await foldAt(plan, places, rows, turns);
}

/** All rows are known. */
async function foldAt(plan: FoldPlan, { source, at }: Places, rows: RowWindow, turns: Turns): Promise<void> {
  const steps = new FoldSteps();
  for (let from = 0; from < at.length;) {
    let to = from + 1;
    while (to < at.length && to - from < PIECE_RECORDS && at[to] === (at[to - 1] as number) + 1) to += 1;
    const piece = source.slice(at[from] as number, (at[to - 1] as number) + 1);
    await turns.took(piece.length);
    for (const record of piece) {
      plan.gather(record, rows, steps);
      plan.fold(steps, 0, steps.length);
      steps.clear();
    }
    from = to;
  }
}

/** Lets the rest of the process have its turn now and then. */
class Turns {
  #since = 0;

  async took(records: number): Promise<void> {
    this.#since += records;
    if (this.#since <= TURN_RECORDS) return;
    await nextTurn();
    this.#since = records;
  }
}
