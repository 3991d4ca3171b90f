import { once } from 'node:events';
import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';

/** How the server says that it is done with a message and waits for the next one: ReadyForQuery, outside a transaction. */
const READY = Buffer.from([0x5a, 0, 0, 0, 5, 0x49]);

/** Stands between a client and PostgreSQL, to cut the wire where a test wants it cut. */
export class PostgresProxy {
  readonly #sockets = new Set<Socket>();
  #needle: Buffer | null = null;
  #severed = false;

  private constructor(
    private readonly server: Server,
    /** The database's URL through this proxy. */
    readonly url: string,
  ) {}

  static async start(url: string): Promise<PostgresProxy> {
    const target = new URL(url);
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const through = new URL(url);
    through.hostname = '127.0.0.1';
    through.port = String((server.address() as AddressInfo).port);
    const proxy = new PostgresProxy(server, through.href);
    server.on('connection', (client) => proxy.#join(client, connect(Number(target.port || 5432), target.hostname)));
    return proxy;
  }

  /** The server carries out the next message that contains `text`; its answer and the connection are lost. */
  loseAnswerTo(text: string): void {
    this.#needle = Buffer.from(text);
  }

  /** Cuts all connections and lets no other through. */
  sever(): void {
    this.#severed = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Lets connections through again. */
  heal(): void {
    this.#severed = false;
  }

  async stop(): Promise<void> {
    this.sever();
    this.server.close();
    await once(this.server, 'close');
  }

  #join(client: Socket, server: Socket): void {
    let losing = false;
    const end = (): void => {
      client.destroy();
      server.destroy();
    };
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', end);
      socket.on('close', () => {
        this.#sockets.delete(socket);
        end();
      });
    }
    if (this.#severed) end();
    client.on('data', (chunk) => {
      if (this.#needle && chunk.includes(this.#needle)) {
        this.#needle = null;
        losing = true;
      }
      server.write(chunk);
    });
    server.on('data', (chunk) => {
      if (!losing) client.write(chunk);
      else if (chunk.subarray(-READY.length).equals(READY)) end();
    });
  }
}
