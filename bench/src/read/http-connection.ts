import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

const HEAD_END = Buffer.from('\r\n\r\n');

/**
 * One kept-alive connection that has one request under way. It reads no more of HTTP than a status and a body of known length, so
 * that little of the machine goes to the client: both sides share it with their server.
 */
export class HttpConnection {
  #received: Buffer = Buffer.alloc(0);
  #waiting: { resolve(body: Buffer): void; reject(error: Error): void } | null = null;

  private constructor(
    private readonly socket: Socket,
    private readonly host: string,
  ) {
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('close', () => this.#fail(new Error(`${host} closed the connection`)));
    socket.on('error', (error) => this.#fail(error));
  }

  static async open(url: URL): Promise<HttpConnection> {
    const socket = connect(Number(url.port), url.hostname);
    await once(socket, 'connect');
    return new HttpConnection(socket, url.host);
  }

  /** The body of a 200. */
  get(path: string): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.socket.write(`GET ${path} HTTP/1.1\r\nhost: ${this.host}\r\n\r\n`);
    });
  }

  close(): void {
    this.socket.destroy();
  }

  #take(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    const end = this.#received.indexOf(HEAD_END);
    if (end < 0) return;
    const head = this.#received.toString('latin1', 0, end);
    const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1];
    if (!head.startsWith('HTTP/1.1 200 ') || length === undefined) {
      this.#fail(new Error(`neither a 200 nor of known length:\n${this.#received.toString()}`));
      return;
    }
    const start = end + HEAD_END.length;
    if (this.#received.length < start + Number(length)) return;
    const body = this.#received.subarray(start, start + Number(length));
    this.#received = this.#received.subarray(start + Number(length));
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.resolve(body);
  }

  #fail(error: Error): void {
    this.#waiting?.reject(error);
    this.#waiting = null;
  }
}
