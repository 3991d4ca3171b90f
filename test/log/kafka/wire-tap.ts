import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { SocketFactory } from '../../../src/log/kafka/wire/kafkajs.js';

/** Kafka's numbers of requests. */
export const PRODUCE = 0;
export const END_TRANSACTION = 26;
export const SASL_AUTHENTICATE = 36;

interface Trap {
  readonly requests: ReadonlySet<number>;
  readonly sprung: () => void;
}

/** Between one client and its brokers: sees each request, and does to the wire what networks do. */
export class WireTap {
  /** The requests that were sent, by number. */
  readonly sent: number[] = [];
  /** How many connections were opened so far. */
  opened = 0;
  readonly #sockets = new Set<Socket>();
  #cut = false;
  #trap: Trap | null = null;
  #held: { readonly requests: ReadonlySet<number>; readonly release: Promise<void>; readonly met: () => void } | null = null;

  get open(): number {
    return this.#sockets.size;
  }

  readonly factory: SocketFactory = ({ host, port, ssl, onConnect }) => {
    // Nothing listens on port 1: a cut client is refused.
    const address = this.#cut ? { host: '127.0.0.1', port: 1 } : { host, port };
    const socket = ssl ? connectTls({ ...address, ...ssl }, onConnect) : connect(address, onConnect);
    socket.setNoDelay(true);
    this.opened += 1;
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    this.#tap(socket);
    return socket;
  };

  /** Cuts all connections, and refuses new ones until `heal`. */
  cut(): void {
    this.#cut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  heal(): void {
    this.#cut = false;
  }

  /** The next of these requests reaches its broker; its answer does not come back, and the connection is gone. Resolves then. */
  loseAnswerTo(...requests: readonly number[]): Promise<void> {
    return new Promise((sprung) => (this.#trap = { requests: new Set(requests), sprung }));
  }

  /** The next of these requests waits on its way until it is let go; `met` resolves when it is there. */
  hold(...requests: readonly number[]): { readonly met: Promise<void>; release(): void } {
    let release: () => void = () => undefined;
    let meet: () => void = () => undefined;
    const met = new Promise<void>((resolve) => (meet = resolve));
    this.#held = { requests: new Set(requests), release: new Promise<void>((resolve) => (release = resolve)), met: meet };
    return { met, release };
  }

  #tap(socket: Socket): void {
    let caught: Trap | null = null;
    const { write, emit } = socket;
    socket.write = ((chunk: Buffer, encoding: BufferEncoding) => {
      const request = chunk.readInt16BE(4);
      this.sent.push(request);
      if (this.#trap?.requests.has(request)) {
        caught = this.#trap;
        this.#trap = null;
      }
      const held = this.#held;
      if (!held?.requests.has(request)) return write.call(socket, chunk, encoding);
      this.#held = null;
      held.met();
      void held.release.then(() => write.call(socket, chunk, encoding));
      return true;
    }) as typeof socket.write;
    socket.emit = ((...args: Parameters<typeof emit>) => {
      if (String(args[0]) !== 'data' || !caught) return emit.apply(socket, args);
      const { sprung } = caught;
      caught = null;
      socket.destroy();
      sprung();
      return true;
    }) as typeof socket.emit;
  }
}
