import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withFolderLock } from '../../../src/database/embedded/folder-lock.js';
import { House } from './house.js';

let house: House;
let lock: string;

beforeEach(async () => {
  house = new House();
  lock = path.join(await house.folder(), 'lock');
});

afterEach(() => house.clear());

describe('the lock of a folder', () => {
  it('lets one in at a time', async () => {
    const counter = path.join(await house.folder(), 'counter');
    await writeFile(counter, '0');
    const addOne = async (): Promise<void> => {
      const before = Number(await readFile(counter, 'utf8'));
      await writeFile(counter, String(before + 1));
    };
    await Promise.all(Array.from({ length: 12 }, () => withFolderLock(lock, addOne)));
    expect(await readFile(counter, 'utf8')).toBe('12');
  });

  it('is given back when the work fails', async () => {
    await expect(withFolderLock(lock, () => Promise.reject(new Error('spilt')))).rejects.toThrow('spilt');
    expect(await withFolderLock(lock, () => Promise.resolve('in'))).toBe('in');
  });

  it('names the process that holds it too long', async () => {
    await withFolderLock(lock, async () => {
      await expect(withFolderLock(lock, () => Promise.resolve(), 0)).rejects.toMatchObject({
        code: 'KAPPA_EMBEDDED_LOCKED',
        facts: { pids: [process.pid] },
      });
    });
  });

  it('is not held by what nobody alive has put there', async () => {
    await mkdir(lock);
    await writeFile(path.join(lock, 'pid'), String(process.pid));
    await writeFile(path.join(lock, `${2 ** 22 + 1}.1.0.dead`), '');
    expect(await withFolderLock(lock, () => Promise.resolve('in'))).toBe('in');
  });
});
