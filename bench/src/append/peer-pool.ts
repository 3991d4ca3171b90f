import pg from 'pg';

/** A pool of a peer. It says that it has ended while its connections still close: they may meet the end of the server. */
export function peerPool(url: string, connections: number): pg.Pool {
  const pool = new pg.Pool({ connectionString: url, max: connections });
  pool.on('error', () => undefined);
  return pool;
}
