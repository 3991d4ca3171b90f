import { untilTogether } from '../../../kernel/timing.js';

/** The heartbeat of the event loop: a timer, and how late it is. It keeps no process alive. */
export class EventLoopBeat {
  #timer: NodeJS.Timeout | null = null;
  #dueAt = 0;
  #lastDelayMs = 0;

  constructor(private readonly everyMs: number) {}

  start(): void {
    this.#beat(performance.now());
  }

  stop(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
  }

  /** The delay of the last beat, or of the one that is due. */
  get delayMs(): number {
    if (this.#timer === null) return 0;
    return Math.round(Math.max(this.#lastDelayMs, performance.now() - this.#dueAt, 0));
  }

  #beat(now: number): void {
    const waitMs = untilTogether(this.everyMs, now);
    this.#dueAt = now + waitMs;
    this.#timer = setTimeout(() => {
      const late = performance.now();
      this.#lastDelayMs = Math.max(0, late - this.#dueAt);
      this.#beat(late);
    }, waitMs);
    this.#timer.unref();
  }
}
