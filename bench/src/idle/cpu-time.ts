import { readdir, readFile } from 'node:fs/promises';

interface ProcessTime {
  readonly parent: number;
  readonly seconds: number;
}

/** What has ended is counted in hundredths of a second, whatever the kernel's own clock. */
const TICKS_A_SECOND = 100;
const NANOSECONDS = 1e9;

/** CPU seconds that these processes and all that descend from them have taken, those that have ended included. */
export async function cpuSecondsOf(roots: readonly number[]): Promise<number> {
  const all = await processTimes();
  const counted = new Set(roots);
  for (let before = -1; before !== counted.size;) {
    before = counted.size;
    for (const [pid, { parent }] of all) if (counted.has(parent)) counted.add(pid);
  }
  let seconds = 0;
  for (const pid of counted) seconds += all.get(pid)?.seconds ?? 0;
  return seconds;
}

/** The process that started this one. */
export async function parentOf(pid: number): Promise<number> {
  const parent = (await processTimes()).get(pid)?.parent;
  if (parent === undefined) throw new Error(`process ${pid} is gone`);
  return parent;
}

/** Processes whose command line contains the text. */
export async function processesNaming(text: string): Promise<readonly number[]> {
  const found: number[] = [];
  for (const pid of await pids()) {
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (command.replaceAll('\0', ' ').includes(text)) found.push(pid);
  }
  return found;
}

async function processTimes(): Promise<ReadonlyMap<number, ProcessTime>> {
  if (process.platform !== 'linux')
    throw new Error('CPU time of processes can be measured on Linux only: it is read in /proc.');
  const times = new Map<number, ProcessTime>();
  for (const pid of await pids()) {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
    if (stat === null) continue;
    // After the name, which may hold anything: state, parent, …, and from the fourteenth on the times of children that have ended.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ended = fields.slice(13, 15).reduce((sum, each) => sum + Number(each), 0);
    times.set(pid, { parent: Number(fields[1]), seconds: (await scheduledSeconds(pid)) + ended / TICKS_A_SECOND });
  }
  return times;
}

/**
 * As the scheduler counts it, thread by thread. The ticks of `stat` are samples: they are taken when timers fire, and so meet a
 * process that is woken by timers far more often than it works.
 */
async function scheduledSeconds(pid: number): Promise<number> {
  let seconds = 0;
  for (const thread of await readdir(`/proc/${pid}/task`).catch(() => [])) {
    const line = await readFile(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').catch(() => '0');
    seconds += Number(line.split(' ')[0]) / NANOSECONDS;
  }
  return seconds;
}

async function pids(): Promise<readonly number[]> {
  return (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
}
