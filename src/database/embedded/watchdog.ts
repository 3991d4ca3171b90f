import { spawn } from 'node:child_process';

/**
 * Stops the server when no client lives any more, also when the last one was killed. A shell that looks once a second, in a
 * session of its own, so that Ctrl-C in a terminal does not reach it.
 */
export function startWatchdog(folder: string, postmaster: number): void {
  if (process.platform === 'win32') return;
  const child = spawn('/bin/sh', ['-c', SCRIPT, 'nest-kappa-watchdog', folder, String(postmaster)], {
    cwd: '/',
    detached: true,
    stdio: 'ignore',
  });
  child.unref();
}

const SCRIPT = `
folder=$1; server=$2
alive() {
  grep -q '^State:.*Z' "/proc/$1/status" 2>/dev/null && return 1
  kill -0 "$1" 2>/dev/null || [ -d "/proc/$1" ] || ps -p "$1" >/dev/null 2>&1
}
used() {
  for file in "$folder"/clients/*; do
    name=\${file##*/}
    alive "\${name%%.*}" && return 0
  done
  return 1
}
while alive "$server"; do
  if ! used && mkdir "$folder/lock" 2>/dev/null; then
    echo $$ > "$folder/lock/pid"
    if ! used; then
      kill -INT "$server"
      while alive "$server"; do sleep 0.1; done
      rm -rf "$folder/clients" "$folder/lock"
      [ -f "$folder/remove-when-unused" ] && rm -rf "$folder"
      exit 0
    fi
    rm -rf "$folder/lock"
  fi
  sleep 1
done
`;
