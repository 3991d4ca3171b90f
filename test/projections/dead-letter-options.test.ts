import { describe, expect, it } from 'vitest';
import { letterOptions, LetterPolicy } from '../../src/database/dead-letters/letter-policy.js';
import { projection } from '../../src/modules/projections/projection.js';
import { AccountRow, accounts } from './engines/ledger.js';

const place = { topic: 't', partition: 0, offset: 1 };

describe('the options of dead letters', () => {
  it('are taken from the projection, else from the application, else from the defaults, one by one', () => {
    expect(letterOptions()).toEqual({ retries: 3, halt: false, maxLetters: 1_000 });
    expect(letterOptions({ retries: 0 }, { retries: 5, halt: true })).toEqual({ retries: 0, halt: true, maxLetters: 1_000 });
    expect(letterOptions({ halt: false }, { halt: true })).toMatchObject({ halt: false });
  });

  it('are refused by a projection where they are no whole numbers', () => {
    for (const deadLetters of [{ retries: -1 }, { maxLetters: 1.5 }])
      expect(() => projection({ name: 'x', version: 1, from: [accounts], table: AccountRow, deadLetters })).toThrow(
        'KAPPA_BAD_PROJECTION',
      );
  });

  it('let a record be tried again with growing pauses, and then be set aside, or halt', () => {
    const policy = new LetterPolicy(letterOptions({ retries: 2 }));
    expect([1, 2, 3].map(() => policy.judge(place))).toEqual([
      { what: 'again', waitMs: 20 },
      { what: 'again', waitMs: 40 },
      { what: 'aside', attempts: 3 },
    ]);
    expect(policy.judge(place)).toMatchObject({ what: 'again' });
    policy.passed();
    expect(policy.judge(place)).toEqual({ what: 'again', waitMs: 20 });
    expect(new LetterPolicy(letterOptions({ retries: 0, halt: true })).judge(place)).toEqual({ what: 'halt', attempts: 1 });
  });
});
