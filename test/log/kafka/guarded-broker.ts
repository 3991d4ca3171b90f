import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { freePorts } from '../../../src/testing/kafka/free-ports.js';
import { javaAndKafka } from '../../../src/testing/kafka/java-and-kafka.js';
import { startJavaBrokers } from '../../../src/testing/kafka/java-brokers.js';

/** A broker that lets in only who knows the password, or trusts its certificate, or both. */
export interface GuardedBroker {
  /** Logins in the open: SASL_PLAINTEXT. */
  readonly login: string;
  /** TLS alone. */
  readonly tls: string;
  /** Logins over TLS: SASL_SSL. */
  readonly secure: string;
  /** The certificate, in PEM, of the authority that vouches for the broker's. */
  readonly ca: string;
  stop(): Promise<void>;
}

/** Whom it knows, by PLAIN and by SCRAM-SHA-256. */
export const USER = { username: 'kappa', password: 'correct horse' };

const STORE_PASSWORD = 'of the key store';
const CONTEXT = 'org.apache.kafka.common.security';

/** Sessions of those who log in end after `sessionMs`; default: never. */
export async function startGuardedBroker({ sessionMs = 0 } = {}): Promise<GuardedBroker> {
  const runtime = await javaAndKafka();
  const folder = await mkdtemp(path.join(tmpdir(), 'kappa-guarded-'));
  const [login, tls, secure] = (await freePorts(3)).map((port) => `127.0.0.1:${port}`) as [string, string, string];
  const { keyStore, ca } = await certified(folder, path.join(path.dirname(runtime.java), 'keytool'));
  const brokers = await startJavaBrokers({
    ...runtime,
    brokers: 1,
    timeoutMs: 120_000,
    doors: [
      { name: 'LOGIN', protocol: 'SASL_PLAINTEXT', addresses: [login] },
      { name: 'TLS', protocol: 'SSL', addresses: [tls] },
      { name: 'SECURE', protocol: 'SASL_SSL', addresses: [secure] },
    ],
    formatWith: ['--add-scram', `SCRAM-SHA-256=[name=${USER.username},password=${USER.password}]`],
    properties: {
      'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256',
      'connections.max.reauth.ms': String(sessionMs),
      'ssl.keystore.type': 'PKCS12',
      'ssl.keystore.location': keyStore,
      'ssl.keystore.password': STORE_PASSWORD,
      ...Object.fromEntries(
        ['login', 'secure'].flatMap((door) => [
          [
            `listener.name.${door}.plain.sasl.jaas.config`,
            `${CONTEXT}.plain.PlainLoginModule required user_${USER.username}="${USER.password}";`,
          ],
          [`listener.name.${door}.scram-sha-256.sasl.jaas.config`, `${CONTEXT}.scram.ScramLoginModule required;`],
        ]),
      ),
    },
  });
  return {
    login,
    tls,
    secure,
    ca,
    stop: async () => {
      await brokers.stop();
      await rm(folder, { recursive: true });
    },
  };
}

/** A key for 127.0.0.1, signed by an authority that nobody knows. */
async function certified(folder: string, keytool: string): Promise<{ readonly keyStore: string; readonly ca: string }> {
  const keyStore = path.join(folder, 'broker.p12');
  const authority = path.join(folder, 'authority.pem');
  const run = (...args: readonly string[]) =>
    promisify(execFile)(keytool, [...args, '-keystore', keyStore, '-storepass', STORE_PASSWORD]);
  const pair = ['-genkeypair', '-storetype', 'PKCS12', '-keyalg', 'EC', '-validity', '2'];
  await run(...pair, '-alias', 'authority', '-dname', 'CN=An authority of tests', '-ext', 'bc:c');
  await run(...pair, '-alias', 'broker', '-dname', 'CN=broker', '-signer', 'authority', '-ext', 'san=ip:127.0.0.1');
  await run('-exportcert', '-rfc', '-alias', 'authority', '-file', authority);
  // Or the broker might present it as its own.
  await run('-delete', '-alias', 'authority');
  return { keyStore, ca: await readFile(authority, 'utf8') };
}
