import { setMaxListeners } from 'node:events';
import { logStopped } from '../../wake.js';
import { APIS } from './apis.js';
import { Connection, type BrokerAddress, type ConnectionSettings } from './connection.js';

/** The node that a bootstrap address leads to is not known before it was asked. */
export type Node = BrokerAddress & { readonly nodeId: number | null };

/**
 * Connections by broker and role. What may wait for long at the broker (a fetch at the tail, a group that forms, a transaction)
 * has a role of its own, so that nothing else waits behind it.
 */
export class Connections {
  readonly #open = new Map<string, Promise<Connection>>();
  /** All whose sockets may still be there. */
  readonly #live = new Set<Promise<unknown>>();
  readonly #stopping = new AbortController();

  constructor(private readonly settings: ConnectionSettings) {
    // Each connection that is being opened listens to it, and all are opened anew when brokers come back.
    setMaxListeners(0, this.#stopping.signal);
  }

  /** @throws BrokerAwayError, KAPPA_LOG_STOPPED */
  async to(node: Node, role: string): Promise<Connection> {
    if (this.#stopping.signal.aborted) throw logStopped();
    const key = `${role}@${node.host}:${node.port}`;
    const known = this.#open.get(key);
    if (known) {
      const connection = await known;
      if (connection.isOpen) return connection;
      if (this.#open.get(key) === known) this.#open.delete(key);
      return this.to(node, role);
    }
    const opening = Connection.open(node, this.settings, APIS, this.#stopping.signal);
    this.#open.set(key, opening);
    try {
      const connection = await opening;
      const gone: Promise<unknown> = connection.gone.finally(() => this.#live.delete(gone));
      this.#live.add(gone);
      if (this.#stopping.signal.aborted || this.#open.get(key) !== opening) {
        connection.close();
        throw logStopped();
      }
      return connection;
    } catch (error) {
      if (this.#open.get(key) === opening) this.#open.delete(key);
      throw error;
    }
  }

  /** Closes the connections of a role at once; what is under way on them fails. */
  release(role: string): void {
    for (const [key, opening] of this.#open) {
      if (!key.startsWith(`${role}@`)) continue;
      this.#open.delete(key);
      opening.then((connection) => connection.close()).catch(() => undefined);
    }
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    const opened = [...this.#open.values()];
    this.#open.clear();
    await Promise.all(opened.map((opening) => opening.then((connection) => connection.close()).catch(() => undefined)));
    await Promise.all(this.#live);
  }
}
