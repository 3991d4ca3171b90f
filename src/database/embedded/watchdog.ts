import { spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { registerFolders } from './client-register.js';
import { identityOf, isAlive, type ProcessIdentity } from './process-identity.js';

export interface Watch {
  /** The home of the server. */
  readonly folder: string;
  readonly server: number;
  /** How long nobody may use the server before it is stopped; a kill of the last client is noticed within three seconds more. */
  readonly lingerSeconds: number;
  /** Folders that are thrown away after the stop. */
  readonly remove: readonly string[];
}

/**
 * Sees to it that the server ends when no client lives any more, also when the last one was killed: a shell that looks every
 * third second (to start the program that waits for it costs more than the look), in a session of its own, so that Ctrl-C in a
 * terminal does not reach it. One per server; where there is no shell
 * (Windows, images without one) a server whose clients were all killed stays until the next client leaves.
 */
export async function ensureWatchdog(watch: Watch): Promise<void> {
  if (process.platform === 'win32' || (await hasWatchdog(watch))) return;
  const server = await identityOf(watch.server);
  const { lock, clients } = registerFolders(watch.folder);
  const args = [
    String(watch.server),
    server?.started ?? '',
    server?.boot ?? '0',
    clients,
    lock,
    String(watch.lingerSeconds),
    ...watch.remove,
  ];
  const child = spawn('/bin/sh', ['-c', SCRIPT, 'nest-kappa-watchdog', ...args], { cwd: '/', detached: true, stdio: 'ignore' });
  child.on('error', () => undefined);
  child.unref();
  const dog = child.pid === undefined ? null : await identityOf(child.pid);
  if (dog !== null) await writeFile(note(watch.folder), JSON.stringify({ server: watch.server, dog }));
}

/** Whether a living watchdog watches that very server. */
export async function hasWatchdog({ folder, server }: Pick<Watch, 'folder' | 'server'>): Promise<boolean> {
  const text = await readFile(note(folder), 'utf8').catch(() => null);
  if (text === null) return false;
  try {
    const noted = JSON.parse(text) as { readonly server: number; readonly dog: ProcessIdentity };
    return noted.server === server && (await isAlive(noted.dog));
  } catch {
    // Half written by a process that was killed: as good as none.
    return false;
  }
}

function note(folder: string): string {
  return path.join(folder, 'watchdog');
}

/**
 * Announcements are read and made as presence.ts does it: the names are `pid.started…`. Stopping is done under the same lock
 * that clients take, so that nobody arrives while the server goes down. `true >` makes an empty file (a failing `: >` would end
 * the shell).
 */
const SCRIPT = `
server=$1; started=$2; boot=$3; clients=$4; lock=$5; linger=$6
shift 6
alive() {
  if [ -d /proc/self ]; then
    { IFS= read -r stat < "/proc/$1/stat"; } 2>/dev/null || return 1
    wanted=$2
    set -- \${stat##*) }
    case $1 in Z|X) return 1 ;; esac
    [ -z "$wanted" ] || [ "$wanted" = "\${20}" ]
  else
    kill -0 "$1" 2>/dev/null || ps -p "$1" >/dev/null 2>&1
  fi
}
used() {
  for file in "$1"/*; do
    [ -e "$file" ] && [ "$file" != "$2" ] || continue
    name=\${file##*/}; rest=\${name#*.}
    alive "\${name%%.*}" "\${rest%%.*}" && return 0
  done
  return 1
}
pause() { sleep 0.1 2>/dev/null || sleep 1; }
since=0
if [ -d /proc/self ]; then
  IFS= read -r stat < "/proc/$$/stat"
  starttime() { shift 19; since=$1; }
  starttime \${stat##*) }
fi
own="$lock/$$.$since.$boot.watchdog"
idle=0
while alive "$server" "$started"; do
  if used "$clients" ''; then idle=0; nap=3; else idle=$((idle + 1)); nap=1; fi
  if [ "$idle" -gt "$linger" ]; then
    if { true > "$own"; } 2>/dev/null; then
      if ! used "$lock" "$own" && ! used "$clients" '' && alive "$server" "$started"; then
        kill -INT "$server"
        waited=0
        while alive "$server" "$started"; do
          pause
          waited=$((waited + 1))
          [ "$waited" -eq 600 ] && kill -QUIT "$server"
        done
        for folder; do mv "$folder" "$folder.gone.$$" && rm -rf "$folder.gone.$$"; done
      fi
      rm -f "$own"
    fi
  fi
  sleep "$nap"
done
`;
