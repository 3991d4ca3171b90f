import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

/** What tells a process from a later one with the same number (numbers come round again, and in a container at once). */
export interface ProcessIdentity {
  readonly pid: number;
  /** When it was started: clock ticks since boot on Linux, epoch seconds on macOS, `0` where nobody tells (Windows). */
  readonly started: string;
  /** Which boot of the machine that was; `0` where nobody tells. */
  readonly boot: string;
}

/** Null when there is no such process, or only its corpse that nobody has collected yet. */
export async function identityOf(pid: number): Promise<ProcessIdentity | null> {
  const started = await startOf(pid);
  return started === null ? null : { pid, started, boot: await boot() };
}

/** Whether that very process is still there; one whose start nobody told is known by its number alone. */
export async function isAlive(process: ProcessIdentity): Promise<boolean> {
  const now = await identityOf(process.pid);
  return now?.boot === process.boot && (process.started === '0' || now.started === process.started);
}

/** The words a process was started with, joined by blanks; null when it is gone, or where nobody tells (Windows). */
export async function commandLine(pid: number): Promise<string | null> {
  switch (process.platform) {
    case 'linux':
      return (await readIfThere(`/proc/${pid}/cmdline`))?.replaceAll('\0', ' ') ?? null;
    case 'win32':
      return null;
    default:
      return ps('args=', pid);
  }
}

async function startOf(pid: number): Promise<string | null> {
  switch (process.platform) {
    case 'linux':
      return startOnLinux(pid);
    case 'win32':
      return answersSignal(pid) ? '0' : null;
    default:
      return startByPs(pid);
  }
}

async function startOnLinux(pid: number): Promise<string | null> {
  const stat = await readIfThere(`/proc/${pid}/stat`);
  if (stat === null) return null;
  // The second field is the program's name in parentheses and may hold anything; proc(5) numbers state 3 and starttime 22.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[0] === 'X' ? null : (fields[19] ?? null);
}

async function startByPs(pid: number): Promise<string | null> {
  const line = await ps('stat=,lstart=', pid);
  if (line === null) return null;
  const [state = '', ...start] = line.split(/\s+/);
  return state.startsWith('Z') ? null : String(Date.parse(start.join(' ')) / 1000);
}

async function ps(columns: string, pid: number): Promise<string | null> {
  try {
    const { stdout } = await promisify(execFile)('ps', ['-ww', '-o', columns, '-p', String(pid)], {
      env: { PATH: process.env['PATH'], LC_ALL: 'C' },
    });
    return stdout.trim() || null;
  } catch {
    return null;
  }
}

function answersSignal(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function boot(): Promise<string> {
  return (await readIfThere('/proc/sys/kernel/random/boot_id'))?.slice(0, 8) ?? '0';
}

/** Whatever stands in the way of reading /proc (gone, or hidden from us): there is nothing to see. */
async function readIfThere(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    return null;
  }
}
