import Table from 'cli-table3';
import pc from 'picocolors';

type Colors = ReturnType<typeof pc.createColors>;

export interface OutputOptions {
  readonly json: boolean;
  readonly color: boolean;
}

/** The slice of a terminal or pipe that is written to. */
export interface Sink {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): boolean;
  on(event: 'error', listener: (error: Error) => void): unknown;
  once(event: 'drain', listener: () => void): unknown;
}

/**
 * What a command says: answers to stdout, everything else to stderr. With `--json` stdout holds JSON alone.
 * Never throws when the reader of a pipe has gone; `gone` tells.
 */
export class Output {
  readonly color: Colors;
  readonly json: boolean;
  readonly #gone = new AbortController();
  #streams = false;

  constructor(
    options: OutputOptions,
    readonly stdout: Sink,
    readonly stderr: Sink,
  ) {
    this.json = options.json;
    this.color = pc.createColors(options.color && !options.json);
    for (const sink of [stdout, stderr]) sink.on('error', () => this.#gone.abort());
  }

  /** Aborted when nobody reads stdout any more: reading commands end then, rebuilds go on. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  /** True where a person looks on: progress bars and questions make sense. */
  get interactive(): boolean {
    return !this.json && this.stderr.isTTY === true;
  }

  /** One answer: the document with `--json`, the text otherwise. */
  answer(document: unknown, text: () => string): void {
    this.#write(this.stdout, this.json ? toJson(document, 2) : text());
  }

  /** One line of an answer that comes bit by bit. Resolves when there is room for more. */
  async line(document: unknown, text: () => string): Promise<void> {
    this.#streams = true;
    if (this.#write(this.stdout, this.json ? toJson(document) : text()) || this.gone.aborted) return;
    const { promise, resolve } = pending();
    this.stdout.once('drain', resolve);
    this.gone.addEventListener('abort', resolve, { once: true });
    await promise;
    this.gone.removeEventListener('abort', resolve);
  }

  /** From here on the answer is one object a line, even where none comes. */
  streaming(): void {
    this.#streams = true;
  }

  /** What `--json` ends with: the last line of long work, marked as such, or the whole document. Nothing without it. */
  last(document: Readonly<Record<string, unknown>>): void {
    if (!this.json) return;
    this.#write(this.stdout, this.#streams ? toJson({ ...document, done: true }) : toJson(document, 2));
  }

  /** Text that is formatted already: help, SQL. */
  raw(text: string): void {
    if (!this.gone.aborted) this.stdout.write(text);
  }

  /** A remark for the person at the terminal; never part of an answer. */
  note(text: string): void {
    this.#write(this.stderr, text);
  }

  /** Columns under dim heads, cells as text; widths follow the content. */
  table(heads: readonly string[], rows: readonly (readonly string[])[], right: readonly number[] = []): string {
    const table = new Table({
      head: heads.map((head) => this.color.dim(head)),
      chars: NO_LINES,
      style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
      colAligns: heads.map((_, index) => (right.includes(index) ? 'right' : 'left')),
    });
    table.push(...rows.map((row) => [...row]));
    return table
      .toString()
      .split('\n')
      .map((line) => line.trimEnd())
      .join('\n');
  }

  /** `name  value` lines, names dim. */
  pairs(entries: readonly (readonly [string, string])[]): string {
    const width = Math.max(0, ...entries.map(([name]) => name.length));
    return entries.map(([name, value]) => `${this.color.dim(name.padEnd(width))}  ${value}`).join('\n');
  }

  #write(sink: Sink, text: string): boolean {
    if (this.gone.aborted) return true;
    return sink.write(`${text}\n`);
  }
}

const NO_LINES = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '  ',
};

/** JSON of an answer; a bigint is written as text, for a JSON number would lose digits. */
function toJson(document: unknown, indent?: number): string {
  return JSON.stringify(document, (_, value: unknown) => (typeof value === 'bigint' ? value.toString() : value), indent);
}

function pending(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
