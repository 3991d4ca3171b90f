import { performance } from 'node:perf_hooks';
import { HttpConnection } from './http-connection.js';
import { itemId } from './items.js';

/** Far from each other, and each row once in as many requests as there are rows: a prime that divides no number of rows used. */
const STRIDE = 7_919;

/** Kept-alive connections to one side. */
export class Load {
  #next = 0;

  private constructor(
    private readonly connections: readonly HttpConnection[],
    private readonly path: string,
  ) {}

  static async open(url: string, connections: number): Promise<Load> {
    const parsed = new URL(url);
    const opened = Array.from({ length: connections }, () => HttpConnection.open(parsed));
    return new Load(await Promise.all(opened), parsed.pathname);
  }

  /** Every row as the side answers it. */
  async all(rows: number): Promise<readonly Buffer[]> {
    const bodies: Buffer[] = [];
    let next = 0;
    await Promise.all(
      this.connections.map(async (connection) => {
        for (let row = next++; row < rows; row = next++) bodies[row] = await connection.get(this.path + itemId(row));
      }),
    );
    return bodies;
  }

  /** Requests a second, each connection with one under way. @throws when an answer is another than expected. */
  async requestsPerSecond(expected: readonly Buffer[], seconds: number): Promise<number> {
    let answered = 0;
    const began = performance.now();
    const read = async (connection: HttpConnection): Promise<void> => {
      while (performance.now() - began < seconds * 1_000) {
        const row = (this.#next++ * STRIDE) % expected.length;
        const body = await connection.get(this.path + itemId(row));
        if (!expected[row]?.equals(body)) throw new Error(`${this.path}${itemId(row)} was answered with ${body.toString()}`);
        answered += 1;
      }
    };
    await Promise.all(this.connections.map(read));
    return (answered * 1_000) / (performance.now() - began);
  }

  close(): void {
    for (const connection of this.connections) connection.close();
  }
}
