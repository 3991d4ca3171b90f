/** What becomes of a broker's answer that the client is not to see; `halved`: the first half of it arrives, then the wire is cut. */
export type LostKafkaAnswer = 'cut' | 'half-open' | 'halved';

/** Waits for the next request of certain kinds. */
export interface KafkaTrap {
  /** Kafka's numbers of requests. */
  readonly requests: ReadonlySet<number>;
  readonly fault: LostKafkaAnswer;
  readonly sprung: () => void;
}

/** Length, kind and version of a request and the number that its answer bears as well. */
const REQUEST_HEAD = 12;
/** Length of an answer and the number of its request. */
const ANSWER_HEAD = 8;
const LENGTH = 4;

/** Follows one connection to a broker, to lose the answer to one request and none of those before it. */
export class KafkaAnswers {
  readonly #requests = new Frames(REQUEST_HEAD);
  readonly #answers = new Frames(ANSWER_HEAD);
  #awaited: { readonly number: number; readonly trap: KafkaTrap } | null = null;

  /** Told of each piece to the broker. `trapFor` takes the trap that such a request springs. */
  asked(piece: Buffer, trapFor: (request: number) => KafkaTrap | null): void {
    for (const { head } of this.#requests.beginningIn(piece)) {
      const trap = this.#awaited ? null : trapFor(head.readInt16BE(LENGTH));
      if (trap) this.#awaited = { number: head.readInt32BE(8), trap };
    }
  }

  /** Told of each piece to the client; what is to happen, and how much of the piece passes before that, or null. */
  answered(piece: Buffer): { readonly trap: KafkaTrap; readonly passes: number } | null {
    for (const { head, at } of this.#answers.beginningIn(piece)) {
      if (this.#awaited?.number !== head.readInt32BE(LENGTH)) continue;
      const { trap } = this.#awaited;
      this.#awaited = null;
      const end = Math.min(at + LENGTH + head.readInt32BE(0), piece.length);
      const begin = Math.max(0, at);
      return { trap, passes: trap.fault === 'halved' ? begin + Math.ceil((end - begin) / 2) : begin };
    }
    return null;
  }

  /** No answer is lost any more. */
  forget(): void {
    this.#awaited = null;
  }
}

interface Frame {
  readonly head: Buffer;
  /** Where it begins in the piece in which its head ended; below 0 where it began in an earlier one. */
  readonly at: number;
}

/** Finds the frames of Kafka's protocol in what goes one way, in whatever pieces it comes. */
class Frames {
  /** What has come of the next frame's head. */
  #head = Buffer.alloc(0);
  /** How much of the present frame is still to come. */
  #left = 0;

  constructor(private readonly headBytes: number) {}

  *beginningIn(piece: Buffer): Generator<Frame> {
    for (let from = 0; from < piece.length;) {
      const rest = Math.min(this.#left, piece.length - from);
      this.#left -= rest;
      from += rest;
      const wanted = this.headBytes - this.#head.length;
      const begun = from - this.#head.length;
      this.#head = Buffer.concat([this.#head, piece.subarray(from, from + wanted)]);
      from = Math.min(from + wanted, piece.length);
      if (this.#head.length < this.headBytes) return;
      const head = this.#head;
      this.#head = Buffer.alloc(0);
      this.#left = Math.max(0, LENGTH + head.readInt32BE(0) - this.headBytes);
      yield { head, at: begun };
    }
  }
}
