import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { NestFactory } from '@nestjs/core';
import { SingleBar } from 'cli-progress';
import { AppModule } from './app.module.js';
import { FinesImport, type ImportReport } from './fines-import.js';

const USAGE = 'npm run example:fines -- --file <path to road-traffic-fines.csv or .csv.gz> [--json]';

/** Where the command was called: npm changes the working directory to the package's. */
const CALLED_FROM = process.env['INIT_CWD'] ?? process.cwd();

async function main(): Promise<number> {
  const { file, json } = readArguments();
  if (!file) {
    console.error(`FINES_USAGE: --file is missing. ${USAGE}`);
    return 2;
  }
  const app = await NestFactory.createApplicationContext(AppModule, { logger: ['warn', 'error'], abortOnError: false });
  app.enableShutdownHooks();
  try {
    const report = await withProgress(!json && process.stderr.isTTY, (show) =>
      app.get(FinesImport).run(resolve(CALLED_FROM, file), show),
    );
    if (!json) summarise(report);
    console.log(JSON.stringify(report));
    return 0;
  } finally {
    await app.close();
  }
}

function readArguments(): { readonly file: string | undefined; readonly json: boolean } {
  try {
    const { values } = parseArgs({ options: { file: { type: 'string' }, json: { type: 'boolean', default: false } } });
    return { file: values.file, json: values.json };
  } catch (error) {
    console.error(`FINES_USAGE: ${error instanceof Error ? error.message : String(error)} ${USAGE}`);
    process.exit(2);
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

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  },
);
