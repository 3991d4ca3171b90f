/**
 * A process that appends: `node appending-process.mjs`, told by its environment. With HOLD it leaves its append uncommitted, as
 * the application's own transaction is for a moment, and says so.
 */
import pg from 'pg';

const { CLIENT_CONFIG, WRITER, APPENDS, HOLD } = process.env;
const client = new pg.Client(JSON.parse(CLIENT_CONFIG));
client.on('error', () => undefined);
await client.connect();

const append = (partitions, texts) =>
  client.query('select append_records($1, $2, $3, $4, $5, $6, $7) as ends', [
    partitions.map(() => 1),
    partitions,
    partitions.map(() => 1),
    texts,
    texts.map((text) => Buffer.from(text)),
    texts.map(() => '{}'),
    texts.map(() => null),
  ]);

if (HOLD) {
  await client.query('begin');
  await append([0], [WRITER]);
  process.send('holding');
  await new Promise((resolve) => process.once('message', resolve));
  // Refused when the server has ended the transaction meanwhile.
  await client.query('commit').catch(() => undefined);
} else {
  for (let round = 0; round < Number(APPENDS); round++) {
    // Every third append goes to both partitions, in an order of its own.
    const partitions = round % 3 === 0 ? (Number(WRITER) % 2 === 0 ? [0, 1] : [1, 0]) : [round % 2];
    await append(
      partitions,
      partitions.map(() => `${WRITER}:${round}`),
    );
  }
}
await client.end().catch(() => undefined);
