import { open, type FileHandle } from 'node:fs/promises';

/** What was promised to whoever sent a command, as a line each. Times are the machine's, in milliseconds. */
export type JournalLine =
  | {
      readonly t: 'tried';
      readonly id: string;
      readonly stream: string;
      /** How many events it makes, when it takes effect. */
      readonly events: number;
      readonly at: number;
    }
  | {
      readonly t: 'acknowledged';
      readonly id: string;
      readonly stream: string;
      /** Versions of the stream, both included. */
      readonly first: number;
      readonly last: number;
      readonly eventIds: readonly string[];
      readonly position: Readonly<Record<string, number>>;
      readonly triedAt: number;
      readonly at: number;
    }
  /** It certainly did not happen: a rule said no, or the framework that nothing was written. */
  | { readonly t: 'refused'; readonly id: string; readonly code: string; readonly at: number }
  /** It may have happened. */
  | { readonly t: 'unknown'; readonly id: string; readonly code: string; readonly at: number };

/** A file of lines that are on the disk before `write` resolves. Lines that come while others are written go together. */
export class Journal {
  #waiting: string[] = [];
  #written: Promise<void> | null = null;

  private constructor(private readonly file: FileHandle) {}

  static async open(path: string): Promise<Journal> {
    return new Journal(await open(path, 'a'));
  }

  async write(line: JournalLine): Promise<void> {
    this.#waiting.push(`${JSON.stringify(line)}\n`);
    while (this.#written) await this.#written;
    if (this.#waiting.length === 0) return;
    this.#written = this.#flush().finally(() => (this.#written = null));
    await this.#written;
  }

  async close(): Promise<void> {
    while (this.#written) await this.#written;
    await this.file.close();
  }

  async #flush(): Promise<void> {
    const lines = this.#waiting.splice(0).join('');
    await this.file.appendFile(lines);
    await this.file.datasync();
  }
}

/** The lines of a journal; the last one may have been cut off by a kill. */
export function journalLines(text: string): JournalLine[] {
  const lines = text.split('\n');
  lines.pop();
  return lines.map((line) => JSON.parse(line) as JournalLine);
}
