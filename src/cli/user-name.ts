import { userInfo } from 'node:os';

/** Who runs the command, as what is done is noted. */
export function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return 'unknown';
  }
}
