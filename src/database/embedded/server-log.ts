import { open, stat } from 'node:fs/promises';

const SHOWN_LINES = 8;
const SHOWN_BYTES = 8_192;

/** What PostgreSQL says, and what the reader of the message does about it. */
const REMEDIES: readonly (readonly [said: RegExp, nextStep: string])[] = [
  [/no space left|disk quota/i, 'Free space on the disk of that folder and start again.'],
  [/address already in use|could not bind/i, 'Leave the port out, name a free one, or end the program that listens there.'],
  [
    /wrong ownership|permission denied|operation not permitted|EACCES|EPERM/i,
    'Give the folder to the user that the server runs as, or give another one with database.dataDir.',
  ],
  [
    /could not (create|resize) shared memory|cannot allocate memory|too many open files/i,
    'Give this machine or container more memory (--shm-size) or files, or name a server with database.url.',
  ],
  [
    /cannot open shared object file|ENOENT|image not found/i,
    'Install the npm packages anew on this machine, or name a server with database.url.',
  ],
  [/invalid value for parameter|unrecognized configuration parameter|outside the valid range/i, 'Correct that setting.'],
  [
    /could not locate a valid checkpoint|invalid checkpoint|PANIC|invalid data in file|could not open file/i,
    'The data is damaged: restore the folder from a backup, or give another one with database.dataDir.',
  ],
];

/** Whether a start failed for want of its port. */
export function saysPortTaken(log: string): boolean {
  return /could not bind .*|address already in use/i.test(log);
}

/** A server that was killed leaves processes that end within moments; until then a new one refuses to start. */
export function saysPredecessorLingers(log: string): boolean {
  return /pre-existing shared memory block|lock file ".*" already exists/i.test(log);
}

export function nextStepFor(log: string): string {
  return REMEDIES.find(([said]) => said.test(log))?.[1] ?? 'Look into its log, or name a server of your own with database.url.';
}

/** The last lines that were written to `file` after its first `from` bytes, as one line. */
export async function lastLines(file: string, from: number): Promise<string> {
  const { size } = await stat(file);
  const start = Math.max(from, size - SHOWN_BYTES);
  const handle = await open(file, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(SHOWN_BYTES), 0, SHOWN_BYTES, start);
    return buffer.toString('utf8', 0, bytesRead).trimEnd().split('\n').slice(-SHOWN_LINES).join(' | ');
  } finally {
    await handle.close();
  }
}
