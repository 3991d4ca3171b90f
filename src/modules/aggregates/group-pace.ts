/** So many commands that wait are worth a group of their own beside the one that is under way: else a core of two has little to do. */
const WORTH_ANOTHER = 16;
/**
 * Of so many commands that wait a group takes partitions until it has half. Where all were in one, all who wait would go on together
 * when it is done, and be in one again: with 256 writers that was a tenth slower.
 */
const WORTH_DIVIDING = 64;
/** What is shorter is not worth dividing the commit for. */
const PATIENCE_MS = 2;
/** A group that takes so long waits for a lock, a disk or a network rather than for a processor: more of them cost little. */
const LONG_MS = 10;

/**
 * When the next group of appends begins: at once where none is under way, and beside one that is under way where that is late or
 * enough commands wait. A third only beside groups that take long: else it is one more commit, which costs more than it wins.
 */
export class GroupPace {
  #groups = 0;
  /** Of those, the ones that have taken longer than a commit should. */
  #late = 0;
  /** Of those that are late. */
  #long = 0;

  /** `most` groups at a time; `changed` is called when another may begin because one takes long. */
  constructor(
    private readonly most: number,
    private readonly changed: () => void,
  ) {}

  get isIdle(): boolean {
    return this.#groups === 0;
  }

  /** Whether a group begins now, where so many commands wait. */
  mayBegin(waiting: number): boolean {
    if (this.#groups >= this.most) return false;
    const brisk = this.#groups - this.#long;
    return brisk === 0 || (brisk === 1 && (this.#late > this.#long || waiting >= WORTH_ANOTHER));
  }

  /** So many of the commands that wait are enough for a group. */
  enough(waiting: number): number {
    return this.most > 1 && waiting >= WORTH_DIVIDING ? waiting / 2 : waiting;
  }

  /** A group has begun; call what is returned when it has ended. */
  begin(): () => void {
    this.#groups += 1;
    let isLate = false;
    let isLong = false;
    let timer = setTimeout(() => {
      isLate = true;
      this.#late += 1;
      timer = setTimeout(() => {
        isLong = true;
        this.#long += 1;
        this.changed();
      }, LONG_MS - PATIENCE_MS);
      this.changed();
    }, PATIENCE_MS);
    return () => {
      clearTimeout(timer);
      this.#groups -= 1;
      if (isLate) this.#late -= 1;
      if (isLong) this.#long -= 1;
    };
  }
}
