import { open, stat } from 'node:fs/promises';

const SHOWN_LINES = 8;
const READ_BYTES = 65_536;
/** Java's way to an error is long, and hides the error. */
const ON_THE_WAY = /^\s+(at |\.{3} \d+ more)/;

/** The end of what a broker wrote after the first `from` bytes of `file`, as one line, without the frames of stack traces. */
export async function endOfLog(file: string, from: number): Promise<string> {
  const size = await logSize(file);
  if (size <= from) return '';
  const start = Math.max(from, size - READ_BYTES);
  const handle = await open(file, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(READ_BYTES), 0, READ_BYTES, start);
    return lastWords(buffer.toString('utf8', 0, bytesRead));
  } finally {
    await handle.close();
  }
}

/** The end of what one of Kafka's programs has said, as one line. */
export function lastWords(said: string): string {
  const lines = said.trimEnd().split('\n');
  const telling = lines.filter((line) => !ON_THE_WAY.test(line));
  return telling.slice(-SHOWN_LINES).join(' | ');
}

/** 0 when there is none yet. */
export async function logSize(file: string): Promise<number> {
  return stat(file).then(
    ({ size }) => size,
    () => 0,
  );
}
