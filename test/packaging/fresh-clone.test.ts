import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileAsSwc } from './compile-as-swc.js';
import { FreshClone, ORDINARY_USER } from './fresh-clone.js';

const isRoot = process.getuid?.() === 0;

describe('the README’s first command in a fresh clone', () => {
  let clone: FreshClone;

  beforeAll(async () => {
    clone = await FreshClone.make();
    await clone.install();
  }, 240_000);

  afterAll(() => clone?.remove());

  it('starts the shop, which answers and stops cleanly', { timeout: 60_000 }, async () => {
    const printed = await clone.whileStarted({ user: null, dataDir: '.kappa' }, async (url) => {
      await expect.poll(async () => (await fetch(`${url}/api/products`)).status, { timeout: 20_000 }).toBe(200);
    });
    expect(printed).toContain('shop: stopped');
  });

  it.runIf(isRoot)('works for an ordinary user too', { timeout: 60_000 }, async () => {
    await clone.giveTo(ORDINARY_USER);
    const printed = await clone.whileStarted({ user: ORDINARY_USER, dataDir: '.kappa-of-nobody' }, async (url) => {
      await expect.poll(async () => (await fetch(`${url}/api/products`)).status, { timeout: 20_000 }).toBe(200);
    });
    expect(printed).toContain('shop: stopped');
  });

  // What a decorated signature imports as a type compiles with tsc, and dies when SWC's modules are linked.
  it.each(['shop', 'fines'])(
    'links the modules of the %s example as SWC compiles them',
    { timeout: 60_000 },
    async (example) => {
      const folder = join(clone.folder, 'examples', example);
      compileAsSwc(join(folder, 'src'), join(folder, 'as-swc', 'src'));
      expect(await clone.importsOf(join(folder, 'as-swc/src/app.module.js'))).toEqual(['AppModule']);
    },
  );
});
