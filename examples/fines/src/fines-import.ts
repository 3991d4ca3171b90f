import { stat } from 'node:fs/promises';
import { performance } from 'node:perf_hooks';
import { Injectable } from '@nestjs/common';
import { Commands, Database, InjectReader, Reader } from 'nest-kappa';
import { importFines, type ImportProgress } from './import-fines.js';
import { ActivityTotals, Fines, MonthlyPayments } from './projections.js';
import type { ActivityRow, FineRow, MonthRow } from './rows.js';
import { readTotals, type Totals } from './totals.js';

export interface ImportReport extends Totals {
  readonly importSeconds: number;
  /** From the last append until all projections stand at the end. */
  readonly visibleSeconds: number;
}

/** How long projections may need after the last append. */
const VISIBLE_WITHIN_MS = 600_000;

@Injectable()
export class FinesImport {
  constructor(
    private readonly commands: Commands,
    private readonly database: Database,
    @InjectReader(Fines) private readonly fines: Reader<FineRow>,
    @InjectReader(ActivityTotals) private readonly activities: Reader<ActivityRow>,
    @InjectReader(MonthlyPayments) private readonly months: Reader<MonthRow>,
  ) {}

  /** Imports the file, waits until all tables show it, and reads their totals. */
  async run(
    file: string,
    onProgress: (progress: ImportProgress & { readonly ofBytes: number }) => void,
  ): Promise<ImportReport> {
    const ofBytes = (await stat(file)).size;
    const start = performance.now();
    const end = await importFines(this.commands, file, (progress) => onProgress({ ...progress, ofBytes }));
    const appended = performance.now();
    await Promise.all(
      [this.fines, this.activities, this.months].map((reader) => reader.waitFor(end, { timeoutMs: VISIBLE_WITHIN_MS })),
    );
    const visible = performance.now();
    const totals = await readTotals(this.database);
    return { ...totals, importSeconds: seconds(appended - start), visibleSeconds: seconds(visible - appended) };
  }
}

function seconds(ms: number): number {
  return Math.round(ms) / 1000;
}
