import { expect, it } from 'vitest';
import { streamName } from '../../src/kernel/names.js';
import { AppendFate } from '../../src/modules/aggregates/append-fate.js';
import { StreamTurns } from '../../src/modules/aggregates/stream-turns.js';

const stream = streamName({ tenant: null, aggregate: 'counter', id: 'one' });
const at = (version: number) => ({ version, state: {}, snapshotVersion: 0 });

it('shows what has gone ahead until it is forgotten, also while it is committed and not yet in the cache', () => {
  const turns = new StreamTurns();
  const ahead = { stream: at(1), fate: new AppendFate() };
  turns.goAhead(stream, ahead);
  expect(turns.ahead(stream)).toBe(ahead);
  ahead.fate.settle(true);
  expect(turns.ahead(stream)).toBe(ahead);
  turns.forget(stream, new AppendFate());
  expect(turns.ahead(stream)).toBe(ahead);
  turns.forget(stream, ahead.fate);
  expect(turns.ahead(stream)).toBeNull();
});

it('shows nothing that is known to be lost, or was decided on what is, though its owner has yet to forget it', () => {
  const turns = new StreamTurns();
  const first = new AppendFate();
  turns.goAhead(stream, { stream: at(1), fate: first });
  turns.goAhead(stream, { stream: at(2), fate: new AppendFate(first) });
  first.settle(false);
  expect(turns.ahead(stream)).toBeNull();
});
