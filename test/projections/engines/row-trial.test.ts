import { describe, expect, it } from 'vitest';
import { RowTrial } from '../../../src/modules/projections/rebuild/row-trial.js';

const RECORDS = 1_000_000;
const ROW_BYTES = 500;
/** More than what few rows are. */
const ROOM = 100_000 * ROW_BYTES;
const BATCH = 5_000;

/** How many records have been read when it fails; null where it does not. `rowsOf` tells how many rows so many records bring. */
function failsAt(rowsOf: (records: number) => number, records = RECORDS): number | null {
  const trial = new RowTrial(records, ROOM);
  for (let read = BATCH; read <= records; read += BATCH) if (trial.fails(read, rowsOf(read) * ROW_BYTES, false)) return read;
  return null;
}

/** As many as are distinct of so many that are drawn from a set, each as likely as the other. */
const drawnFrom = (keys: number) => (records: number) => keys * (1 - Math.exp(-records / keys));

describe('a trial of rows', () => {
  it('passes where few keys have all records', () => {
    expect(failsAt((records) => Math.min(records, 1_000))).toBeNull();
    expect(failsAt(drawnFrom(2_000))).toBeNull();
  });

  it('passes where new keys come seldom, or ever more seldom', () => {
    expect(failsAt((records) => records / 50)).toBeNull();
    expect(failsAt((records) => 20 * Math.sqrt(records))).toBeNull();
  });

  it('fails early where each record, or every fifth, brings a row', () => {
    expect(failsAt((records) => records)).toBeLessThanOrEqual(RECORDS / 16 + BATCH);
    expect(failsAt((records) => records / 5)).toBeLessThanOrEqual(RECORDS / 16 + BATCH);
  });

  it('fails early, too, where there would be room for all rows, but they are many', () => {
    expect(failsAt((records) => records / 12)).toBeLessThanOrEqual(RECORDS / 16 + BATCH);
    expect(failsAt(drawnFrom(90_000))).toBeLessThanOrEqual(RECORDS / 16 + BATCH);
  });

  it('fails before a long log has been read far', () => {
    expect(failsAt((records) => records, 100 * RECORDS)).toBe(2 * BATCH);
  });

  it('passes with records that bring no row at all', () => {
    expect(failsAt(() => 0)).toBeNull();
  });

  it('fails, having passed, when memory is full all the same', () => {
    expect(failsAt((records) => (records < RECORDS / 2 ? 1_000 : records - RECORDS / 2))).toBe(RECORDS / 2 + 100_000 + BATCH);
  });

  it('goes on where not a record was read by the last time', () => {
    expect(new RowTrial(RECORDS, ROOM).fails(0, 0, true)).toBe(false);
  });

  it('is over when it is the last time', () => {
    const trial = new RowTrial(RECORDS, ROOM);
    expect(trial.fails(BATCH, BATCH * ROW_BYTES, true)).toBe(true);
    expect(new RowTrial(RECORDS, ROOM).fails(BATCH, BATCH * ROW_BYTES, false)).toBe(false);
  });
});
