/** Free ones that are kept, those that were given back last: the next will be as large. */
const MOST_FREE = 4;
/** One of so many times what is needed is not taken for it: half of it would stay empty, and what came would be copied out of it. */
const MOST_EXCESS = 1.75;
/** Rooms have steps of so many bytes: pages of one reader are about the same, and none is the very same. */
const STEP_BYTES = 128 * 1024;

/**
 * Room for what COPY gives, taken again when it is given back. Large buffers lie outside of the engine's heap: it sweeps its old
 * generation for them long before that is full, and they stay until then.
 */
export class CopyRooms {
  readonly #free: Buffer[] = [];

  /** At least so many bytes, whatever stands in them. */
  take(bytes: number): Buffer {
    const at = this.#free.findIndex(({ length }) => length >= bytes && length <= bytes * MOST_EXCESS);
    const [room] = at < 0 ? [] : this.#free.splice(at, 1);
    return room ?? Buffer.allocUnsafeSlow(bytes < STEP_BYTES ? bytes : Math.ceil(bytes / STEP_BYTES) * STEP_BYTES);
  }

  /** A room, or a part of one. Nobody reads it any more. */
  giveBack(room: Buffer): void {
    this.#free.push(Buffer.from(room.buffer));
    if (this.#free.length > MOST_FREE) this.#free.shift();
  }
}
