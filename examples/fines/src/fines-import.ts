import { stat } from 'node:fs/promises';
import { performance } from 'node:perf_hooks';
import { setTimeout as wait } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Commands, Database, InjectReader, ProjectionOperations, Reader } from 'nest-kappa';
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
    private readonly operations: ProjectionOperations,
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
    await this.#untilAtTheEnd();
    const visible = performance.now();
    const totals = await readTotals(this.database);
    return { ...totals, importSeconds: seconds(appended - start), visibleSeconds: seconds(visible - appended) };
  }

  /** Also past what other runs and processes have appended: the totals are those of the tables, not of this run. */
  async #untilAtTheEnd(): Promise<void> {
    const end = performance.now() + VISIBLE_WITHIN_MS;
    for (;;) {
      const live = (await this.operations.status()).map(({ builds }) => builds.find(({ active }) => active));
      if (live.every((build) => build?.behind === 0)) return;
      if (performance.now() > end) throw new Error('FINES_BEHIND: the tables did not reach the end of the log in time');
      await wait(20);
    }
  }
}

function seconds(ms: number): number {
  return Math.round(ms) / 1000;
}
