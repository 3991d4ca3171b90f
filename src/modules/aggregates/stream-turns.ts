import type { StreamName } from '../../kernel/names.js';
import type { AppendFate } from './append-fate.js';
import type { LoadedStream } from './state-cache.js';

/** A stream as it will stand when an append that is under way is committed. */
export class StreamAhead {
  constructor(
    readonly stream: LoadedStream,
    readonly fate: AppendFate,
  ) {}
}

/** A stream while commands of it decide or are appended. Empty when they are done: see {@link StreamTurns}. */
class Line {
  /** Begins the turn of the next, in their order. */
  waiting: (() => void)[] | null = null;
  inTurn = false;
  ahead: StreamAhead | null = null;
}

/**
 * Lets the commands of one stream in this process decide one after another: they would only conflict with each other. What one
 * has decided is told to the next before it is committed, so that a hot stream does not wait for a commit with each command.
 *
 * A map that is filled and emptied all the time leaves its former tables behind, which hold what was in them until the old
 * generation is swept: what it holds is a line that is empty by then, never a command.
 */
export class StreamTurns {
  readonly #lines = new Map<StreamName, Line>();

  async run<T>(stream: StreamName, work: () => Promise<T>): Promise<T> {
    const line = this.#line(stream);
    if (line.inTurn) await new Promise<void>((resolve) => (line.waiting ??= []).push(resolve));
    line.inTurn = true;
    try {
      return await work();
    } finally {
      const next = line.waiting?.shift();
      if (next) next();
      else {
        line.inTurn = false;
        this.#leave(stream, line);
      }
    }
  }

  /** Nobody is in turn: what does not wait for anything needs none. */
  isFree(stream: StreamName): boolean {
    return this.#lines.get(stream)?.inTurn !== true;
  }

  /** What the last command has decided, until its append is known to be lost, or stands in the cache. */
  ahead(stream: StreamName): StreamAhead | null {
    const ahead = this.#lines.get(stream)?.ahead ?? null;
    // Whoever was decided on a lost one comes back before its owner forgets it, and would be lost with it again, for ever.
    return ahead?.fate.isLost() ? null : ahead;
  }

  /** To be called in turn, or where that is free; to be forgotten once its append is settled. */
  goAhead(stream: StreamName, ahead: StreamAhead): void {
    this.#line(stream).ahead = ahead;
  }

  /** Its append is settled: what is committed stands in the cache by now. Does nothing where others have gone ahead since. */
  forget(stream: StreamName, fate: AppendFate): void {
    const line = this.#lines.get(stream);
    if (!line || line.ahead?.fate !== fate) return;
    line.ahead = null;
    this.#leave(stream, line);
  }

  #line(stream: StreamName): Line {
    let line = this.#lines.get(stream);
    if (!line) this.#lines.set(stream, (line = new Line()));
    return line;
  }

  #leave(stream: StreamName, line: Line): void {
    if (!line.inTurn && line.ahead === null) this.#lines.delete(stream);
  }
}
