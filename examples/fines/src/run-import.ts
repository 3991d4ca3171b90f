import { NestFactory } from '@nestjs/core';
import { SingleBar } from 'cli-progress';
import { AppModule } from './app.module.js';
import { FinesImport, type ImportReport } from './fines-import.js';

/** Imports the file in an application of its own and prints what the tables hold then, as JSON on the last line. */
export async function runImport(file: string, json: boolean): Promise<void> {
  const app = await NestFactory.createApplicationContext(AppModule, { logger: ['warn', 'error'], abortOnError: false });
  app.enableShutdownHooks();
  try {
    const report = await withProgress(!json && process.stderr.isTTY, (show) => app.get(FinesImport).run(file, show));
    if (!json) summarise(report);
    console.log(JSON.stringify(report));
  } finally {
    await app.close();
  }
}

type Show = (progress: { readonly rows: number; readonly bytes: number; readonly ofBytes: number }) => void;

async function withProgress<T>(visible: boolean, work: (show: Show) => Promise<T>): Promise<T> {
  if (!visible) return work(() => undefined);
  const bar = new SingleBar({
    format: '{bar} {percentage}% of the file · {rows} rows · {rate}/s · {eta_formatted} left',
    hideCursor: true,
  });
  const start = Date.now();
  let started = false;
  try {
    return await work(({ rows, bytes, ofBytes }) => {
      const rate = Math.round(rows / Math.max(0.001, (Date.now() - start) / 1000));
      if (!started) bar.start(ofBytes, bytes, { rows, rate });
      started = true;
      bar.update(bytes, { rows, rate });
    });
  } finally {
    bar.stop();
  }
}

function summarise(report: ImportReport): void {
  console.log(`${report.events.toLocaleString('en')} events of ${report.fines.toLocaleString('en')} fines in the tables`);
  console.log(`paid ${report.paid}, expense ${report.expense}, last amounts ${report.lastAmounts}`);
  console.log(
    `${report.paidFines.toLocaleString('en')} fines with a payment, ${report.settledFines.toLocaleString('en')} settled`,
  );
  console.log(`import ${report.importSeconds} s, visible ${report.visibleSeconds} s after the last append`);
}
