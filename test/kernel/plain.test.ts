import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { plain } from '../../src/kernel/plain.js';
import { tenuredLiterals } from '../support/tenured-literals.js';

interface Place {
  readonly topic: string;
  readonly offset: number;
}

const PlaceOf = plain<Place, [topic: string, offset: number]>(function (topic, offset) {
  this.topic = topic;
  this.offset = offset;
});

describe('plain', () => {
  it('makes what a literal makes', () => {
    const made = new PlaceOf('fines', 7);
    expect(made).toStrictEqual({ topic: 'fines', offset: 7 });
    expect(Object.getPrototypeOf(made)).toBe(Object.prototype);
    expect(Object.keys(made)).toEqual(['topic', 'offset']);
    expect(inspect(made)).toBe("{ topic: 'fines', offset: 7 }");
    expect(structuredClone(made)).toStrictEqual({ ...made });
  });

  it.each(['read', 'read foreign', 'decide'])(
    'of events that are held while many are made the engine learns nothing (%s)',
    async (work) => {
      expect(await tenuredLiterals(new URL('hold-events.mjs', import.meta.url), 6_000, work)).toEqual([]);
    },
  );
});
