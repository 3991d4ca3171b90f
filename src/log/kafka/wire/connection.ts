import type { ConnectionOptions } from 'node:tls';
import { KappaError } from '../../../kernel/errors.js';
import { Reader, Writer } from './codec.js';
import { BrokerAwayError } from './kafka-error.js';
import { openError } from './open-error.js';
import {
  kafkajs,
  type ApiRanges,
  type RawConnection,
  type RawLogger,
  type SASLOptions,
  type SocketFactory,
} from './kafkajs.js';

/** One kind of request, in the one version that is used of it. */
export interface Api<Request, Answer> {
  readonly key: number;
  readonly name: string;
  readonly version: number;
  /** Header and body with tagged fields (KIP-482). */
  readonly flexible: boolean;
  encode(writer: Writer, request: Request): void;
  decode(reader: Reader): Answer;
}

export interface BrokerAddress {
  readonly host: string;
  readonly port: number;
}

export interface ConnectionSettings {
  readonly clientId: string;
  readonly ssl: ConnectionOptions | null;
  readonly sasl: SASLOptions | null;
  readonly socketFactory: SocketFactory | null;
  /** For the socket and the handshakes. */
  readonly connectTimeoutMs: number;
  /** A broker that does not answer for so long is away. */
  readonly requestTimeoutMs: number;
  readonly logger: RawLogger;
}

/** One connection to one broker. A broker answers its requests one after the other: what waits there makes what follows wait. */
export class Connection {
  /** Resolves when the socket is. */
  readonly gone: Promise<void>;
  #isGone: () => void = () => undefined;
  readonly #under: { readonly reject: (error: Error) => void }[] = [];

  private constructor(
    private readonly raw: RawConnection,
    private readonly settings: ConnectionSettings,
    private readonly broker: string,
  ) {
    this.gone = new Promise((resolve) => (this.#isGone = resolve));
  }

  /** An abort gives it up. @throws BrokerAwayError; KAPPA_KAFKA_TOO_OLD; KAPPA_KAFKA_LOGIN; KAPPA_KAFKA_CERTIFICATE */
  static async open(
    { host, port }: BrokerAddress,
    settings: ConnectionSettings,
    apis: readonly Api<never, unknown>[],
    signal: AbortSignal,
  ): Promise<Connection> {
    const broker = `${host}:${port}`;
    const raw = kafkajs().connection({
      host,
      port,
      clientId: settings.clientId,
      logger: settings.logger,
      socketFactory: settings.socketFactory ?? kafkajs().defaultSocketFactory(),
      ssl: settings.ssl,
      sasl: settings.sasl,
      connectionTimeout: settings.connectTimeoutMs,
      requestTimeout: settings.requestTimeoutMs,
      enforceRequestTimeout: false,
    });
    checkPendingOnlyWhenPending(raw.requestQueue);
    const connection = new Connection(raw, settings, broker);
    const giveUp = () => connection.close();
    signal.addEventListener('abort', giveUp, { once: true });
    try {
      await connection.#within(settings.connectTimeoutMs, raw.connect());
      // kafkajs looks at the end of a stream and at errors; a socket that is gone without either leaves its requests waiting.
      const gone = () => {
        connection.close();
        connection.#isGone();
      };
      if (raw.socket?.closed === false) raw.socket.once('close', gone);
      else gone();
      const ranges = await connection.send(apiVersions, undefined, settings.connectTimeoutMs);
      assertServes(ranges, apis, broker);
      raw.setVersions(ranges);
      raw.setSupportAuthenticationProtocol(true);
      await connection.#within(settings.connectTimeoutMs, raw.authenticate());
      return connection;
    } catch (error) {
      // Before it is closed by us.
      const ended = raw.socket?.readableEnded === true || raw.socket?.destroyed === true;
      connection.close();
      throw openError(error, { broker, sasl: settings.sasl, socket: raw.socket, ended });
    } finally {
      signal.removeEventListener('abort', giveUp);
    }
  }

  get isOpen(): boolean {
    return this.raw.isConnected() && this.raw.socket?.destroyed === false;
  }

  /** @throws BrokerAwayError when there is no answer; the connection is closed then. */
  async send<Request, Answer>(
    api: Api<Request, Answer>,
    request: Request,
    timeoutMs = this.settings.requestTimeoutMs,
  ): Promise<Answer> {
    if (!this.isOpen) throw new BrokerAwayError(this.broker, false, { cause: new Error('the connection is closed') });
    const writer = new Writer();
    if (api.flexible) writer.tags();
    api.encode(writer, request);
    const buffer = writer.bytes;
    if (this.settings.sasl) renewBeforeTheEnd(this.raw);
    const answered = this.raw.send<Answer>({
      request: {
        apiKey: api.key,
        apiVersion: api.version,
        apiName: api.name,
        encode: () => Promise.resolve({ buf: buffer, buffer }),
      },
      response: {
        decode: (payload) => {
          const reader = new Reader(payload);
          if (api.flexible) reader.tags();
          // A broker over its quota holds its answers back by itself.
          return Promise.resolve({ clientSideThrottleTime: 0, answer: api.decode(reader) });
        },
        parse: ({ answer }) => Promise.resolve(answer),
      },
      logResponseError: false,
    });
    try {
      return await this.#within(timeoutMs, answered);
    } catch (error) {
      this.close();
      if (error instanceof BrokerAwayError) throw error;
      throw new BrokerAwayError(this.broker, true, { cause: error });
    }
  }

  /** At once; requests under way fail. May be called twice. */
  close(): void {
    const error = new BrokerAwayError(this.broker, true, { cause: new Error('the connection was closed') });
    for (const { reject } of this.#under.splice(0)) reject(error);
    this.raw.requestQueue.rejectAll(error);
    void this.raw.disconnect().catch(() => undefined);
    // kafkajs ends its timer of a connection that does not open yet only with an error.
    if (this.raw.socket?.connecting) this.raw.socket.destroy(error);
    else this.raw.socket?.destroy();
  }

  /** Rejects when the answer does not come in time, or the connection is closed meanwhile. */
  #within<T>(timeoutMs: number, answered: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const entry = { reject };
      this.#under.push(entry);
      const timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
      answered.then(resolve, reject).finally(() => {
        clearTimeout(timer);
        const at = this.#under.indexOf(entry);
        if (at >= 0) this.#under.splice(at, 1);
      });
    });
  }
}

/**
 * kafkajs logs in again on the same connection, before it sends a request, when little is left of a session (KIP-368), while the
 * requests behind it wait. Little is for it ten seconds: of a session that is no longer it would renew the login with each request,
 * which brokers allow once a second. Clients in Java begin at 85 % of the session, and so does this one.
 */
function renewBeforeTheEnd(raw: RawConnection): void {
  raw.reauthenticationThreshold = Math.ceil(0.15 * Number(raw.sessionLifetime.toString()));
}

/**
 * kafkajs 2.2.4 looks for pending requests again and again, a thousand times a second, once the first answer has come
 * (kafkajs#1704): here only while something is pending.
 */
function checkPendingOnlyWhenPending(queue: RawConnection['requestQueue']): void {
  queue.scheduleCheckPendingRequests = () => {
    if (queue.pending.length === 0 || queue.throttleCheckTimeoutId !== null) return;
    queue.throttleCheckTimeoutId = setTimeout(
      () => {
        queue.throttleCheckTimeoutId = null;
        queue.checkPendingRequests();
      },
      Math.max(10, queue.throttledUntil - Date.now()),
    );
  };
}

/** Version 2 is the last without tagged fields; its answer lists what the broker serves. */
const apiVersions: Api<undefined, ApiRanges> = {
  key: 18,
  name: 'ApiVersions',
  version: 2,
  flexible: false,
  encode: () => undefined,
  decode: (reader) => {
    const code = reader.int16();
    if (code !== 0) throw new Error(`ApiVersions answered ${code}`);
    return Object.fromEntries(
      reader.array(() => [reader.int16(), { minVersion: reader.int16(), maxVersion: reader.int16() }] as const),
    );
  },
};

function assertServes(ranges: ApiRanges, apis: readonly Api<never, unknown>[], broker: string): void {
  const missing = apis.find(({ key, version }) => {
    const range = ranges[key];
    return !range || range.minVersion > version || range.maxVersion < version;
  });
  if (!missing) return;
  throw new KappaError('KAPPA_KAFKA_TOO_OLD', `broker ${broker} does not serve ${missing.name} in version ${missing.version}`, {
    facts: { broker, request: missing.name, version: missing.version, served: ranges[missing.key] ?? null },
    nextStep: 'Use Apache Kafka 3.1 to 4.x, or a server that is compatible with it.',
  });
}
