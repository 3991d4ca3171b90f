import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** PostgreSQL's ReadyForQuery outside a transaction: the answer is complete, and what was asked for is committed. */
const READY = Buffer.from([0x5a, 0, 0, 0, 5, 0x49]);

/** What becomes of an answer that the client is not to see. */
export type Fault = 'cut' | 'half-open';

interface Trap {
  readonly needle: Buffer;
  readonly fault: Fault;
  /** What it is sprung by: the answer to the piece, or the piece itself, on its way to either side. */
  readonly by: 'answer' | 'piece';
  readonly sprung: () => void;
}

/**
 * Stands between a client and a server and does to the wire what networks do: cuts it, slows it down, or leaves it half-open, so
 * that both sides believe in a connection that passes nothing. For PostgreSQL it can do so at the moment that matters: when the
 * server has carried out a statement and its answer is on the way.
 */
export class TcpProxy {
  readonly #links = new Set<Link>();
  #trap: Trap | null = null;
  #refusing = false;
  #delayMs = 0;

  private constructor(
    private readonly server: Server,
    /** The server's URL through this proxy. */
    readonly url: string,
  ) {}

  static async start(url: string): Promise<TcpProxy> {
    const target = new URL(url);
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const through = new URL(url);
    through.hostname = '127.0.0.1';
    through.port = String((server.address() as AddressInfo).port);
    const proxy = new TcpProxy(server, through.href);
    server.on('connection', (client) => proxy.#join(client, () => connect(Number(target.port || 5432), target.hostname)));
    return proxy;
  }

  get connections(): number {
    return this.#links.size;
  }

  /** Cuts all connections; until `heal` new ones are cut, too. */
  cut(): void {
    this.#refusing = true;
    for (const link of this.#links) link.cut();
  }

  /** Cuts all connections; new ones pass. */
  cutOnce(): void {
    for (const link of this.#links) link.cut();
  }

  /** Present connections stay open and pass nothing more, in neither direction. */
  halfOpen(): void {
    for (const link of this.#links) link.silent = true;
  }

  /** Every piece takes this much longer, each way; 0 for none. */
  delay(ms: number): void {
    this.#delayMs = ms;
  }

  /** New connections pass again, and at once. */
  heal(): void {
    this.#refusing = false;
    this.#delayMs = 0;
  }

  /**
   * The server carries out the next message that contains `text` (a statement's text, or the name it was prepared under); its
   * answer never arrives. Resolves when that has happened.
   */
  loseAnswerTo(text: string, fault: Fault = 'cut'): Promise<void> {
    return this.#setTrap(text, fault, 'answer');
  }

  /**
   * The next piece that contains `text`, of a client or of the server, does not arrive: in the middle of a COPY, say. Resolves when
   * that has happened.
   */
  losePieceWith(text: string, fault: Fault = 'cut'): Promise<void> {
    return this.#setTrap(text, fault, 'piece');
  }

  async stop(): Promise<void> {
    this.cut();
    this.server.close();
    await once(this.server, 'close');
  }

  #setTrap(text: string, fault: Fault, by: Trap['by']): Promise<void> {
    return new Promise((sprung) => (this.#trap = { needle: Buffer.from(text), fault, by, sprung }));
  }

  #join(client: Socket, open: () => Socket): void {
    if (this.#refusing) {
      client.destroy();
      return;
    }
    const link = new Link(client, open(), {
      delayMs: () => this.#delayMs,
      trapFor: (chunk, from) => {
        const trap = this.#trap;
        if (!trap || (trap.by === 'answer' && from === 'server') || !chunk.includes(trap.needle)) return null;
        this.#trap = null;
        return trap;
      },
      closed: () => this.#links.delete(link),
    });
    this.#links.add(link);
  }
}

interface LinkRules {
  delayMs(): number;
  trapFor(chunk: Buffer, from: 'client' | 'server'): Trap | null;
  closed(): void;
}

/** One connection, both ways. */
class Link {
  silent = false;
  #trap: Trap | null = null;

  constructor(
    private readonly client: Socket,
    private readonly server: Socket,
    rules: LinkRules,
  ) {
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      socket.on('error', () => this.cut());
      socket.on('close', () => {
        this.cut();
        rules.closed();
      });
    }
    client.on('data', (chunk: Buffer) => {
      this.#trap ??= rules.trapFor(chunk, 'client');
      if (this.#trap?.by === 'piece') this.#spring(this.#trap);
      else this.#pass(server, chunk, rules.delayMs());
    });
    server.on('data', (chunk: Buffer) => {
      this.#trap ??= rules.trapFor(chunk, 'server');
      if (!this.#trap) this.#pass(client, chunk, rules.delayMs());
      else if (this.#trap.by === 'piece' || chunk.subarray(-READY.length).equals(READY)) this.#spring(this.#trap);
    });
  }

  #spring({ fault, sprung }: Trap): void {
    if (fault === 'cut') this.cut();
    else this.silent = true;
    sprung();
  }

  cut(): void {
    this.client.destroy();
    this.server.destroy();
  }

  #pass(to: Socket, chunk: Buffer, delayMs: number): void {
    if (this.silent) return;
    if (delayMs === 0) to.write(chunk);
    else setTimeout(() => this.silent || to.write(chunk), delayMs);
  }
}
