/**
 * Reads events, or decides commands, and holds all of them over a sweep: run with `--expose-gc --trace-pretenuring-statistics`, it
 * shows of which literals the engine would learn that what they make lives long. What it makes itself comes from JSON.parse, of
 * which the engine learns nothing.
 */
import { built, Happen, Happened, thing, things } from '../support/held-things.mjs';

const [{ topic }, { EventDecoder }, { StoredRecord }, { jsonCodec }, { AggregateModel }, { decideOn }] = await Promise.all(
  ['index.js', 'kernel/event-decoder.js', 'kernel/record.js', 'kernel/codec.js']
    .map(built)
    .concat(['modules/aggregates/aggregate-model.js', 'modules/aggregates/decide-on.js'].map(built)),
);
const { LoadedStream } = await built('modules/aggregates/state-cache.js');
const { RunTarget } = await built('modules/aggregates/run-target.js');
const { CommandIdentity } = await built('modules/aggregates/stream-loader.js');

const decoder = new EventDecoder([things], jsonCodec);
const headers =
  '{"ce_id":"1","ce_type":"thing.happened","ce_source":"/held-thing","ce_subject":"a","ce_time":"2026-01-01T00:00:00.000Z"}';
const value = Buffer.from('{"n":1}');
const read = (offset) => decoder.decode(new StoredRecord('held-things', 0, offset, 0, 'a', value, JSON.parse(headers)));

const model = new AggregateModel(thing, jsonCodec, false);
const parts = { codec: jsonCodec, clock: () => new Date(0), newId: () => 'id', maxRecordBytes: 1e6 };
const options = JSON.parse('{}');
const decide = (n) => {
  const command = new Happen(`thing-${n}`, JSON.parse('{"n":1}'));
  const target = new RunTarget(model, thing.commands[0], command, options, model.address(null, command.thingId), 1);
  return decideOn(parts, target, new CommandIdentity('id', 'hash'), new LoadedStream(0, 0, 0), undefined, null);
};

const found = { event: Happened(JSON.parse('{"n":1}')) };
const foreign = topic('foreign', { partitions: 8, events: [Happened], decode: () => found });
const foreignDecoder = new EventDecoder([foreign], jsonCodec);
const readForeign = (offset) =>
  foreignDecoder.decodeForeign(new StoredRecord('foreign', 0, offset, 0, 'a', value, JSON.parse('{}')));

const many = Number(process.argv[2]);
const work = { read, 'read foreign': readForeign, decide }[process.argv[3]];
const held = new Array(many);
for (let n = 0; n < many; n += 1) held[n] = work(n);
globalThis.gc({ type: 'minor' });
if (held.length !== many) throw new Error('nothing was held');
