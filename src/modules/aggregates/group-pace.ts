/** So many commands that wait are worth a group of their own beside the one that is under way, which keeps both cores of two busy. */
const WORTH_ANOTHER = 16;
/**
 * So many commands that wait make two groups, of some partitions each, so that one is decided while the other commits. Where all
 * were in one, all who wait would go on together when it is done, and be in one again: with 256 writers that was a tenth slower.
 */
const WORTH_DIVIDING = 64;
/** What is shorter is not worth dividing the commit for. */
const PATIENCE_MS = 2;
/** Beyond, a group waits for somebody else, and is none of those that keep the server busy. */
const STUCK_MS = 50;

/**
 * When the next group of appends begins: at once where none is under way, and beside one that is under way where that takes long
 * or enough commands wait. More at a time would be smaller ones, each with a commit of its own, which costs more than it wins.
 */
export class GroupPace {
  #groups = 0;
  /** Of those. */
  #late = 0;
  /** Of those that are late. */
  #stuck = 0;

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
    const moving = this.#groups - this.#stuck;
    const late = this.#late - this.#stuck;
    return moving === 0 || (moving === 1 && (late === 1 || waiting >= WORTH_ANOTHER));
  }

  /** So many of the commands that wait are enough for a group. */
  enough(waiting: number): number {
    return this.most > 1 && waiting >= WORTH_DIVIDING ? waiting / 2 : waiting;
  }

  /** A group has begun; call what is returned when it has ended. */
  begin(): () => void {
    this.#groups += 1;
    let isLate = false;
    let isStuck = false;
    let timer = setTimeout(() => {
      isLate = true;
      this.#late += 1;
      timer = setTimeout(() => {
        isStuck = true;
        this.#stuck += 1;
        this.changed();
      }, STUCK_MS - PATIENCE_MS);
      this.changed();
    }, PATIENCE_MS);
    return () => {
      clearTimeout(timer);
      this.#groups -= 1;
      if (isLate) this.#late -= 1;
      if (isStuck) this.#stuck -= 1;
    };
  }
}
