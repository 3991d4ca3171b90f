/** Where engines say what they do; Nest's Logger and the console both fit. Messages are sentences without secrets. */
export interface Logger {
  log(message: string): void;
  warn(message: string): void;
  error(message: string): void;
  /** What is only of interest to whoever looks for a cause: retries that are expected, say. */
  debug?(message: string): void;
}

export const silentLogger: Logger = Object.freeze({ log: () => undefined, warn: () => undefined, error: () => undefined });
