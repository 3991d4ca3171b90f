import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { adoptedText } from '../../src/cli/relay/adopt-relayed-log.js';
import { Output } from '../../src/cli/output.js';
import type { Build } from '../../src/modules/projections/build.js';

const out = new Output({ json: false, color: false }, new PassThrough(), new PassThrough());
const build = (number: number) => ({ projection: 'fines', version: 1, number }) as Build;

describe('what relay adopt says', () => {
  it('counts what was carried over, with what stands aside, and gives the next step for what was not', () => {
    const builds = {
      adopted: [build(1), build(2)],
      left: [{ build: build(3), reason: 'it reads notes, which is not relayed' }],
    };
    const policies = { adopted: ['send-receipts'], left: [{ policy: 'read-notes', reason: 'notes was deleted' }] };
    expect(adoptedText({ builds, policies, waiting: 3 }, out)).toEqual([
      'fines v1 build 1 goes on where it stands.',
      'fines v1 build 2 goes on where it stands.',
      'policy send-receipts goes on where it stands.',
      'fines v1 build 3 must be built anew: it reads notes, which is not relayed.',
      'policy read-notes stays behind: notes was deleted. Say where it goes on: npx nest-kappa policies accept read-notes.',
      '2 builds and 1 policy carried over, with 3 events that stand aside.',
    ]);
  });

  it('says so where nothing stands on the old log', () => {
    const none = { adopted: [], left: [] };
    expect(adoptedText({ builds: none, policies: none, waiting: 0 }, out)).toEqual([
      'No build and no policy stands on the log in PostgreSQL.',
    ]);
  });
});
