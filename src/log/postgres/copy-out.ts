import type { Socket } from 'node:net';
import type pg from 'pg';
import { CopyRooms } from './copy-rooms.js';

const CODE = { copyOutResponse: 0x48, copyData: 0x64, notice: 0x4e, parameterStatus: 0x53, notification: 0x41 } as const;
/** A message's code and its length, which counts itself but not the code. */
const HEAD_BYTES = 5;

type Listener = (chunk: Buffer) => void;

const LEAST_BYTES = 16 * 1024;

export interface CopyBounds {
  /** Room is made for so many bytes, and for more as they come. Default little. */
  readonly expectBytes?: number;
  /** Beyond so many the connection is cut off. Default none. */
  readonly mostBytes?: number;
  /** Where room is taken from, for whoever has the messages to give back. Default: it is made for them. */
  readonly rooms?: CopyRooms;
}

/** There was more than was let in. */
export class CopyTooLarge extends Error {}

/**
 * A COPY to the client whose messages stay as they come from the socket: nothing is made of each row. `pg-copy-streams` makes a
 * Buffer of each and copies all twice, which is 0.5 µs of the 3.9 that a rebuild takes an event.
 *
 * While it runs it stands where `pg` listens; at the first message that is none of COPY's data, `pg` has it and all after it.
 */
export class CopyOut implements pg.Submittable {
  /** All messages up to the last of the data, one after the other. */
  readonly messages: Promise<Buffer>;
  readonly #resolve: (messages: Buffer) => void;
  readonly #reject: (error: Error) => void;
  #socket: Socket | null = null;
  #listener: Listener | null = null;
  readonly #rooms: CopyRooms;
  /** What has come. Copied at once, so that what the socket gave is garbage while it is young. */
  #buffer: Buffer;
  #used = 0;
  /** Where the next message begins, which may be still to come. */
  #next = 0;

  constructor(
    private readonly text: string,
    private readonly bounds: CopyBounds = {},
  ) {
    let resolve!: (messages: Buffer) => void;
    let reject!: (error: Error) => void;
    this.messages = new Promise<Buffer>((...settle) => ([resolve, reject] = settle));
    this.#resolve = resolve;
    this.#reject = reject;
    this.#rooms = bounds.rooms ?? new CopyRooms();
    this.#buffer = this.#rooms.take(Math.max(LEAST_BYTES, bounds.expectBytes ?? 0));
  }

  submit(connection: pg.Connection): void {
    this.#socket = connection.stream as Socket;
    const [listener] = this.#socket.listeners('data') as Listener[];
    this.#listener = listener ?? null;
    this.#socket.removeAllListeners('data');
    this.#socket.on('data', this.#take);
    connection.query(this.text);
  }

  /** @throws through `messages` also {@link CopyTooLarge} */
  handleError(error: Error): void {
    this.#giveBack();
    this.#reject(error);
  }

  handleReadyForQuery(): void {
    const messages = this.#buffer.subarray(0, this.#next);
    if (this.#next >= this.#buffer.length / 2) {
      this.#resolve(messages);
      return;
    }
    // Who holds a few records must not hold the room for many.
    this.#resolve(Buffer.from(new Uint8Array(messages).buffer));
    this.#rooms.giveBack(this.#buffer);
  }

  handleCommandComplete(): void {
    // The server is ready for the next query after it: see there.
  }

  readonly #take = (chunk: Buffer): void => {
    this.#makeRoom(this.#used + chunk.length);
    chunk.copy(this.#buffer, this.#used);
    this.#used += chunk.length;
    while (this.#next + HEAD_BYTES <= this.#used) {
      if (!isOfCopy(this.#buffer[this.#next])) {
        this.#giveBack()?.(Buffer.from(this.#buffer.subarray(this.#next, this.#used)));
        return;
      }
      this.#next += 1 + this.#buffer.readInt32BE(this.#next + 1);
    }
    if (this.#used > (this.bounds.mostBytes ?? Infinity)) this.#socket?.destroy(new CopyTooLarge());
  };

  #makeRoom(bytes: number): void {
    if (bytes <= this.#buffer.length) return;
    const former = this.#buffer;
    this.#buffer = this.#rooms.take(Math.max(bytes, former.length * 2));
    former.copy(this.#buffer, 0, 0, this.#used);
    this.#rooms.giveBack(former);
  }

  #giveBack(): Listener | null {
    const listener = this.#listener;
    this.#listener = null;
    this.#socket?.removeListener('data', this.#take);
    if (listener) this.#socket?.on('data', listener);
    return listener;
  }
}

function isOfCopy(code: number | undefined): boolean {
  return (
    code === CODE.copyData ||
    code === CODE.copyOutResponse ||
    code === CODE.notice ||
    code === CODE.parameterStatus ||
    code === CODE.notification
  );
}

/** Calls with where the content of each message of COPY's data begins, and how long it is. */
export function eachData(messages: Buffer, call: (begin: number, length: number) => void): void {
  for (let at = 0; at + HEAD_BYTES <= messages.length;) {
    const length = messages.readInt32BE(at + 1);
    if (messages[at] === CODE.copyData) call(at + HEAD_BYTES, length + 1 - HEAD_BYTES);
    at += 1 + length;
  }
}
