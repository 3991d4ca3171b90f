import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { parse } from 'csv-parse';
import {
  AddPenalty,
  AnswerAppeal,
  CallJudge,
  CreateFine,
  DateAppeal,
  NotifyAnswer,
  NotifyFine,
  ReceivePayment,
  SendAppeal,
  SendFine,
  StartCollection,
} from './commands.js';

/** A row of the file as a command, with what makes it take effect once. */
export interface FineRecord {
  readonly line: number;
  readonly command: { readonly fineId: string };
  readonly idempotencyKey: string;
  readonly occurredAt: string;
}

/** A row that cannot be read: the line, what is wrong with it, and what was expected. */
export class BadRowError extends Error {
  constructor(
    readonly line: number,
    what: string,
  ) {
    super(
      `FINES_BAD_ROW: line ${line}: ${what}. Correct the line and import again; what was imported before it stays, and is not imported twice.`,
    );
    this.name = 'BadRowError';
  }
}

type Csv = Readonly<Record<string, string>>;

const COLUMNS = ['fine_id', 'seq', 'activity', 'occurred_at'] as const;

const COMMANDS: Readonly<Record<string, (row: Csv, id: string, line: number) => { readonly fineId: string }>> = {
  'Create Fine': (row, id, line) =>
    new CreateFine(id, {
      amount: row['amount'] ?? '',
      article: row['article'] ?? '',
      points: wholeNumber(row, 'points', line),
      vehicleClass: row['vehicle_class'] ?? '',
      dismissal: row['dismissal'] ?? '',
      officer: row['officer'] ?? '',
    }),
  'Send Fine': (row, id) => new SendFine(id, row['expense'] ?? ''),
  'Insert Fine Notification': (row, id) => new NotifyFine(id, row['notification_type'] ?? '', row['last_sent'] || null),
  'Add penalty': (row, id) => new AddPenalty(id, row['amount'] ?? ''),
  Payment: (row, id) => new ReceivePayment(id, row['payment_amount'] ?? ''),
  'Send for Credit Collection': (_, id) => new StartCollection(id),
  'Insert Date Appeal to Prefecture': (_, id) => new DateAppeal(id),
  'Send Appeal to Prefecture': (row, id) => new SendAppeal(id, row['dismissal'] ?? ''),
  'Receive Result Appeal from Prefecture': (_, id) => new AnswerAppeal(id),
  'Notify Result Appeal to Offender': (_, id) => new NotifyAnswer(id),
  'Appeal to Judge': (row, id) =>
    new CallJudge(id, { judge: row['judge'] ?? '', dismissal: row['dismissal'] ?? '', officer: row['officer'] ?? '' }),
};

/** Reads a CSV file, plain or gzip, row by row. `onBytes` is told how far the file itself has been read. @throws BadRowError */
export async function* readRows(file: string, onBytes: (read: number) => void): AsyncGenerator<FineRecord> {
  const gzip = await isGzip(file);
  const source = createReadStream(file);
  const csv = parse({ columns: true, info: true, skip_empty_lines: true, bom: true });
  const parts = gzip ? ([source, createGunzip(), csv] as const) : ([source, csv] as const);
  pipeline([...parts], () => undefined);
  source.on('data', () => onBytes(source.bytesRead));
  try {
    for await (const { record, info } of csv as AsyncIterable<{ record: Csv; info: { lines: number } }>)
      yield recordOf(record, info.lines);
  } catch (error) {
    if (error instanceof BadRowError || !(error instanceof Error)) throw error;
    const lines = 'lines' in error && typeof error.lines === 'number' ? error.lines : csv.info.lines;
    throw new BadRowError(lines, error.message);
  }
}

function recordOf(row: Csv, line: number): FineRecord {
  const missing = COLUMNS.filter((column) => !row[column]);
  if (missing.length > 0) throw new BadRowError(line, `${missing.join(', ')} ${missing.length > 1 ? 'are' : 'is'} missing`);
  const { fine_id: id = '', seq = '', activity = '', occurred_at: occurredAt = '' } = row;
  wholeNumber(row, 'seq', line);
  const command = COMMANDS[activity];
  if (!command)
    throw new BadRowError(line, `activity is ${JSON.stringify(activity)}, expected one of ${Object.keys(COMMANDS).join(', ')}`);
  return { line, command: command(row, id, line), idempotencyKey: `${id}#${seq}`, occurredAt };
}

/** An empty text is none, although `Number('')` is 0. */
function wholeNumber(row: Csv, column: string, line: number): number {
  const text = row[column] ?? '';
  if (!/^\d{1,9}$/.test(text)) throw new BadRowError(line, `${column} is ${JSON.stringify(text)}, expected a whole number`);
  return Number(text);
}

async function isGzip(file: string): Promise<boolean> {
  const handle = await open(file);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(2), 0, 2, 0);
    return bytesRead === 2 && buffer[0] === 0x1f && buffer[1] === 0x8b;
  } finally {
    await handle.close();
  }
}
