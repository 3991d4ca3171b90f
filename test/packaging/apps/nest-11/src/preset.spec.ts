import { KappaError } from 'nest-kappa';
import { readFile } from 'node:fs/promises';

describe('the Jest preset', () => {
  it('lets errors of Node be errors, as outside the sandbox', async () => {
    const error = await readFile('/no/such/file').catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(Error);
    expect(error).not.toBeInstanceOf(KappaError);
    expect({}).not.toBeInstanceOf(Error);
  });

  it('loads CommonJS and ES modules by import()', async () => {
    expect(await import('typeorm')).toHaveProperty('Entity');
    expect(await import('nest-kappa')).toHaveProperty('KappaError', KappaError);
  });
});
