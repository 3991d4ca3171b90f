import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import type { ConnectionOptions, TLSSocket } from 'node:tls';
import type { SASLOptions } from 'kafkajs';
import { KappaError } from '../../../kernel/errors.js';

/**
 * What is used of kafkajs: its connection (sockets, TLS, SASL, requests in flight), its codecs of compressed batches and its
 * checksum. None of it is public there, so that exactly one version will do; the rest of the driver sees these types alone.
 */
const VERSION = '2.2.4';

export type { SASLOptions };

/** Opens a socket; `onConnect` is called when it is open (for TLS: when it is secure). */
export type SocketFactory = (options: {
  readonly host: string;
  readonly port: number;
  readonly ssl: ConnectionOptions | null;
  readonly onConnect: () => void;
}) => Socket;

export interface RawLogger {
  namespace(name: string): RawLogger;
  error(message: string, extra?: unknown): void;
  warn(message: string, extra?: unknown): void;
  info(message: string, extra?: unknown): void;
  debug(message: string, extra?: unknown): void;
}

export interface RawConnectionOptions {
  readonly host: string;
  readonly port: number;
  readonly clientId: string;
  readonly logger: RawLogger;
  readonly socketFactory: SocketFactory;
  readonly ssl: ConnectionOptions | null;
  readonly sasl: SASLOptions | null;
  readonly connectionTimeout: number;
  readonly requestTimeout: number;
  /** Its timer of ten ticks a second for each connection; ours is one timer for each request. */
  readonly enforceRequestTimeout: false;
}

export interface RawRequest<Answer> {
  readonly request: {
    readonly apiKey: number;
    readonly apiVersion: number;
    readonly apiName: string;
    encode(): Promise<{ readonly buf: Buffer; readonly buffer: Buffer }>;
  };
  readonly response: {
    decode(payload: Buffer): Promise<Decoded<Answer>>;
    parse(decoded: Decoded<Answer>): Promise<Answer>;
  };
  readonly logResponseError: boolean;
}

interface Decoded<Answer> {
  readonly clientSideThrottleTime: number;
  readonly answer: Answer;
}

export type ApiRanges = Readonly<Record<number, { readonly minVersion: number; readonly maxVersion: number } | undefined>>;

export interface RawConnection {
  /** A TLSSocket where there is TLS. */
  readonly socket?: Socket & Partial<Pick<TLSSocket, 'authorizationError'>>;
  /** How long a login holds, in milliseconds, as the broker said; 0 for ever. */
  readonly sessionLifetime: { toString(): string };
  /** A login that holds for no longer than this, in whole milliseconds, is renewed before the next request. */
  reauthenticationThreshold: number;
  readonly requestQueue: {
    readonly pending: readonly unknown[];
    throttleCheckTimeoutId: NodeJS.Timeout | null;
    readonly throttledUntil: number;
    scheduleCheckPendingRequests(): void;
    checkPendingRequests(): void;
    rejectAll(error: Error): void;
  };
  isConnected(): boolean;
  connect(): Promise<unknown>;
  authenticate(): Promise<void>;
  setVersions(versions: ApiRanges): void;
  setSupportAuthenticationProtocol(supported: boolean): void;
  send<Answer>(request: RawRequest<Answer>): Promise<Answer>;
  disconnect(): Promise<unknown>;
}

interface CompressionCodec {
  decompress(buffer: Buffer): Promise<Buffer>;
}

export interface Kafkajs {
  connection(options: RawConnectionOptions): RawConnection;
  defaultSocketFactory(): SocketFactory;
  /** The codec that a batch's attributes name, null for none. Throws where an application registered none for it. */
  codecOf(attributes: number): CompressionCodec | null;
  crc32c(data: Buffer): number;
}

let loaded: Kafkajs | null = null;

/** @throws KAPPA_NO_KAFKAJS, KAPPA_KAFKAJS_VERSION */
export function kafkajs(): Kafkajs {
  return (loaded ??= load());
}

function load(): Kafkajs {
  const require = createRequire(import.meta.url);
  const version = installedVersion(require);
  if (version !== VERSION) {
    throw new KappaError('KAPPA_KAFKAJS_VERSION', `kafkajs ${version} is installed, the kafka log is made for ${VERSION}`, {
      facts: { installed: version, needed: VERSION },
      nextStep: `Run npm install --save-exact kafkajs@${VERSION}.`,
    });
  }
  const Connection = require('kafkajs/src/network/connection') as new (options: RawConnectionOptions) => RawConnection;
  const compression = require('kafkajs/src/protocol/message/compression') as {
    lookupCodecByAttributes(attributes: number): CompressionCodec | null;
  };
  return {
    connection: (options) => new Connection(options),
    defaultSocketFactory: require('kafkajs/src/network/socketFactory') as () => SocketFactory,
    codecOf: (attributes) => compression.lookupCodecByAttributes(attributes),
    crc32c: require('kafkajs/src/protocol/recordBatch/crc32C') as (data: Buffer) => number,
  };
}

function installedVersion(require: NodeJS.Require): string {
  try {
    return (require('kafkajs/package.json') as { version: string }).version;
  } catch (cause) {
    throw new KappaError('KAPPA_NO_KAFKAJS', 'the kafka log needs the package kafkajs', {
      nextStep: `Run npm install --save-exact kafkajs@${VERSION}.`,
      cause,
    });
  }
}
