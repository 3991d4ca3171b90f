import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { KafkaAnswers, type KafkaTrap, type LostKafkaAnswer } from './kafka-answers.js';

/** PostgreSQL's ReadyForQuery outside a transaction: the answer is complete, and what was asked for is committed. */
const READY = Buffer.from([0x5a, 0, 0, 0, 5, 0x49]);

/** What becomes of an answer that the client is not to see. */
export type LostAnswer = 'cut' | 'half-open';

interface Trap {
  readonly needle: Buffer;
  readonly fault: LostAnswer;
  /** What it is sprung by: the answer to the piece, or the piece itself, on its way to either side. */
  readonly by: 'answer' | 'piece';
  readonly sprung: () => void;
}

interface HoldTrap {
  readonly needle: Buffer;
  readonly sprung: () => void;
}

/**
 * Stands between a client and a server and does to the wire what networks do: cuts it, slows it down, or leaves it half-open, so
 * that both sides believe in a connection that passes nothing. For PostgreSQL and Kafka it can do so at the moment that matters:
 * when the server has carried out a statement, or a broker a request, and the answer is on the way.
 *
 * ```ts
 * const proxy = await TcpProxy.start(database.url);
 * await openApplication({ database: { url: proxy.url } });
 * proxy.cut();
 * proxy.heal();
 * ```
 */
export class TcpProxy {
  readonly #links = new Set<Link>();
  #trap: Trap | null = null;
  #holdTrap: HoldTrap | null = null;
  #kafkaTrap: KafkaTrap | null = null;
  #refusing = false;
  #delayMs = 0;

  private constructor(
    private readonly server: Server,
    /** The server's URL through this proxy. */
    readonly url: string,
  ) {}

  /** Listens on a free port of 127.0.0.1 for clients of the server at `url`, which names host and port. */
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

  /** Cuts the connections that are half-open, as happens when one side finally learns of it. */
  cutHalfOpen(): void {
    for (const link of this.#links) if (link.silent) link.cut();
  }

  /** Every piece takes this much longer, each way; 0 for none. */
  delay(ms: number): void {
    this.#delayMs = ms;
  }

  /**
   * Nothing passes and nothing is lost: what is sent meanwhile arrives after `heal`, however late, as it does after an
   * interruption that TCP outlasts.
   */
  hold(): void {
    this.#delayMs = Infinity;
  }

  /** As {@link hold}, from the next message to the server on that contains `text`; that message is held, too. Resolves then. */
  holdFrom(text: string): Promise<void> {
    return new Promise((sprung) => (this.#holdTrap = { needle: Buffer.from(text), sprung }));
  }

  /** New connections pass again, all pieces at once; what was held arrives; no answer is lost any more. */
  heal(): void {
    this.#refusing = false;
    this.#delayMs = 0;
    this.#trap = null;
    this.#holdTrap = null;
    this.#kafkaTrap = null;
    for (const link of this.#links) link.release();
  }

  /**
   * The server carries out the next message that contains `text` (a statement's text, or the name it was prepared under); its
   * answer never arrives. Resolves when that has happened.
   */
  loseAnswerTo(text: string, fault: LostAnswer = 'cut'): Promise<void> {
    return this.#setTrap(text, fault, 'answer');
  }

  /**
   * Of a broker (`kafka://host:port`): it carries out the next request of these kinds, by Kafka's numbers (0 is Produce), and its
   * answer does not arrive, or not whole. Resolves when that has happened.
   */
  loseKafkaAnswerTo(requests: readonly number[], fault: LostKafkaAnswer = 'cut'): Promise<void> {
    return new Promise((sprung) => (this.#kafkaTrap = { requests: new Set(requests), fault, sprung }));
  }

  /**
   * The next piece that contains `text`, of a client or of the server, does not arrive: in the middle of a COPY, say. Resolves when
   * that has happened.
   */
  losePieceWith(text: string, fault: LostAnswer = 'cut'): Promise<void> {
    return this.#setTrap(text, fault, 'piece');
  }

  async stop(): Promise<void> {
    this.cut();
    this.server.close();
    await once(this.server, 'close');
  }

  #setTrap(text: string, fault: LostAnswer, by: Trap['by']): Promise<void> {
    return new Promise((sprung) => (this.#trap = { needle: Buffer.from(text), fault, by, sprung }));
  }

  #join(client: Socket, open: () => Socket): void {
    if (this.#refusing) {
      client.destroy();
      return;
    }
    const kafka = this.url.startsWith('kafka:') ? new KafkaAnswers() : null;
    const link = new Link(client, open(), kafka, {
      delayMs: () => this.#delayMs,
      sends: (chunk) => {
        if (!this.#holdTrap || !chunk.includes(this.#holdTrap.needle)) return;
        this.hold();
        this.#holdTrap.sprung();
        this.#holdTrap = null;
      },
      trapFor: (chunk, from) => {
        const trap = this.#trap;
        if (!trap || (trap.by === 'answer' && from === 'server') || !chunk.includes(trap.needle)) return null;
        this.#trap = null;
        return trap;
      },
      kafkaTrapFor: (request) => {
        const trap = this.#kafkaTrap;
        if (!trap?.requests.has(request)) return null;
        this.#kafkaTrap = null;
        return trap;
      },
      closed: () => this.#links.delete(link),
    });
    this.#links.add(link);
  }
}

interface LinkRules {
  delayMs(): number;
  /** Told of each piece to the server before it passes. */
  sends(chunk: Buffer): void;
  trapFor(chunk: Buffer, from: 'client' | 'server'): Trap | null;
  kafkaTrapFor(request: number): KafkaTrap | null;
  closed(): void;
}

/** One connection, both ways. */
class Link {
  silent = false;
  #trap: Trap | null = null;
  readonly #lanes: readonly Lane[];

  constructor(
    private readonly client: Socket,
    private readonly server: Socket,
    private readonly kafka: KafkaAnswers | null,
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
    const isSilent = (): boolean => this.silent;
    const toServer = new Lane(server, isSilent);
    const toClient = new Lane(client, isSilent);
    this.#lanes = [toServer, toClient];
    client.on('data', (chunk: Buffer) => {
      rules.sends(chunk);
      this.kafka?.asked(chunk, (request) => rules.kafkaTrapFor(request));
      this.#trap ??= rules.trapFor(chunk, 'client');
      if (this.#trap?.by === 'piece') this.#spring(this.#trap);
      else toServer.pass(chunk, rules.delayMs());
    });
    server.on('data', (chunk: Buffer) => {
      const lost = this.kafka?.answered(chunk);
      if (lost) {
        toClient.pass(chunk.subarray(0, lost.passes), rules.delayMs());
        this.#spring(lost.trap);
        return;
      }
      this.#trap ??= rules.trapFor(chunk, 'server');
      if (!this.#trap) toClient.pass(chunk, rules.delayMs());
      else if (this.#trap.by === 'piece' || chunk.subarray(-READY.length).equals(READY)) this.#spring(this.#trap);
    });
  }

  #spring({ fault, sprung }: Pick<Trap | KafkaTrap, 'fault' | 'sprung'>): void {
    if (fault === 'half-open') this.silent = true;
    else this.cut();
    sprung();
  }

  cut(): void {
    this.client.destroy();
    this.server.destroy();
  }

  release(): void {
    this.kafka?.forget();
    for (const lane of this.#lanes) lane.release();
  }
}

/** One direction of a connection. What is delayed stays in order, also when the delay ends: bytes never overtake others. */
class Lane {
  #waiting: { readonly chunk: Buffer; readonly dueAt: number }[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly to: Socket,
    private readonly isSilent: () => boolean,
  ) {
    to.once('close', () => {
      clearTimeout(this.#timer);
      this.#waiting = [];
    });
  }

  pass(chunk: Buffer, delayMs: number): void {
    if (this.isSilent()) return;
    if (delayMs === 0 && this.#waiting.length === 0) {
      this.to.write(chunk);
      return;
    }
    this.#waiting.push({ chunk, dueAt: performance.now() + delayMs });
    if (this.#waiting.length === 1) this.#passLater();
  }

  /** What was to wait for ever is due now. */
  release(): void {
    const now = performance.now();
    this.#waiting = this.#waiting.map(({ chunk, dueAt }) => ({ chunk, dueAt: dueAt === Infinity ? now : dueAt }));
    this.#passDue();
  }

  #passDue(): void {
    const now = performance.now();
    for (let first = this.#waiting[0]; first && first.dueAt <= now; first = this.#waiting[0]) {
      this.#waiting.shift();
      if (!this.isSilent()) this.to.write(first.chunk);
    }
    this.#passLater();
  }

  #passLater(): void {
    clearTimeout(this.#timer);
    const first = this.#waiting[0];
    if (!first || first.dueAt === Infinity) return;
    this.#timer = setTimeout(() => this.#passDue(), Math.max(1, first.dueAt - performance.now()));
  }
}
