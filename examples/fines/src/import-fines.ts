import { setTimeout as wait } from 'node:timers/promises';
import { KappaError, latest, Refusal, RetriableError, UnknownOutcomeError, type Commands, type Position } from 'nest-kappa';
import { Turns } from './turns.js';
import { BadRowError, readRows, type FineRecord } from './read-rows.js';

/** Rows under way at a time: enough that every commit carries many, small enough to be nothing in memory. */
const IN_FLIGHT = 1_000;

/** A minute of tries. */
const RETRIES = 120;
const RETRY_MS = 500;

const ROW_FAULTS = new Set(['KAPPA_INVALID_PAYLOAD', 'KAPPA_BAD_NAME', 'KAPPA_BAD_COMMAND_OPTIONS', 'KAPPA_COMMAND_ID_REUSED']);

export interface ImportProgress {
  readonly rows: number;
  /** Bytes of the file that have been read. */
  readonly bytes: number;
}

/**
 * Sends each row as a command through the aggregate. A row is sent when the row before it of its fine was answered, tries again
 * included: a fine's rows are decided in the order of the file, different fines side by side. Returns the position after the last
 * append.
 */
export async function importFines(
  commands: Commands,
  file: string,
  onProgress: (progress: ImportProgress) => void,
): Promise<Position> {
  let bytes = 0;
  let rows = 0;
  let position: Position = {};
  let failure: unknown = null;
  let underWay = 0;
  let oneEnded: () => void = () => undefined;
  const turns = new Turns();
  const send = async (row: FineRecord): Promise<void> => {
    // Rows behind a failed one are not sent: they would be decided without it.
    if (failure !== null) return;
    try {
      const result = await untilAnswered(() =>
        commands.execute(row.command, { idempotencyKey: row.idempotencyKey, occurredAt: row.occurredAt }),
      );
      position = latest(position, result.position);
      rows += 1;
    } catch (error) {
      failure ??= atLine(row.line, error);
    }
  };
  const untilOneEnds = (): Promise<void> => new Promise((resolve) => (oneEnded = resolve));
  try {
    for await (const row of readRows(file, (read) => (bytes = read))) {
      if (failure !== null) break;
      underWay += 1;
      void turns
        .take(row.command.fineId, () => send(row))
        .then(() => {
          underWay -= 1;
          oneEnded();
        });
      while (underWay >= IN_FLIGHT) {
        await untilOneEnds();
        onProgress({ rows, bytes });
      }
    }
  } catch (error) {
    // A row that cannot be read ends the import too, but not before those under way are answered: nobody would end their tries.
    failure ??= error;
  }
  while (underWay > 0) await untilOneEnds();
  onProgress({ rows, bytes });
  if (failure !== null) throw failure as Error;
  return position;
}

/** A database that is away for a while does not end an import: the same command id takes effect once, however often it is sent. */
async function untilAnswered<T>(send: () => Promise<T>): Promise<T> {
  for (let left = RETRIES; ; left -= 1) {
    try {
      return await send();
    } catch (error) {
      if (left === 0 || !(error instanceof RetriableError || error instanceof UnknownOutcomeError)) throw error;
      await wait(RETRY_MS);
    }
  }
}

/** What the aggregate refuses or the command's rules reject is the row's fault, and told with its line. */
function atLine(line: number, error: unknown): unknown {
  if (error instanceof Refusal || (error instanceof KappaError && ROW_FAULTS.has(error.code))) {
    return new BadRowError(line, error.message.replace(/[.\s]+$/, ''));
  }
  return error;
}
