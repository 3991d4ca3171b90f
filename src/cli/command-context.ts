import { createInterface } from 'node:readline/promises';
import { KappaError } from '../kernel/errors.js';
import type { ResolvedOptions } from '../modules/kappa/options-check.js';
import { loadConfig, type LoadedConfig } from './load-config.js';
import type { Output } from './output.js';
import type { Session, SessionNeeds } from './session.js';

/** The flags that every command takes. */
export interface GlobalFlags {
  readonly config?: string;
  readonly app?: string;
  readonly database?: string;
  readonly schema?: string;
  readonly json?: boolean;
  /** False by `--no-color`. */
  readonly color?: boolean;
  readonly debug?: boolean;
}

/** What a command is run with. */
export class CommandContext {
  #session: Session | null = null;

  constructor(
    readonly out: Output,
    readonly flags: GlobalFlags,
    /** Aborted by Ctrl-C. */
    readonly signal: AbortSignal,
  ) {}

  /** Opens what the command needs; closed by itself when the command ends. */
  async open(needs: SessionNeeds = {}): Promise<Session> {
    // Help and complaints about usage come without waiting for drivers and mappers to be loaded.
    const { openSession } = await import('./session.js');
    const { config, file } = await this.#load(needs);
    this.#session = await openSession(config, { ...needs, file, note: (text) => this.out.note(text) });
    return this.#session;
  }

  /** The options alone, without any connection, so that it does not matter whether production names a database. */
  async options(): Promise<ResolvedOptions> {
    const { checkOptions } = await import('../modules/kappa/options-check.js');
    const { config } = await this.#load({});
    return checkOptions(config, { ...process.env, NODE_ENV: undefined });
  }

  /** Where only options are needed, a file that cannot be loaded is no obstacle as long as the database is named. */
  async #load(needs: SessionNeeds): Promise<LoadedConfig> {
    try {
      return await loadConfig(this.flags);
    } catch (error) {
      const { database, schema, config, app } = this.flags;
      if (needs.definitions || database === undefined || config !== undefined || app !== undefined) throw error;
      this.out.note(`${error instanceof Error ? error.message : String(error)} Going on with --database alone.`);
      return { config: { options: { database: { url: database, ...(schema === undefined ? {} : { schema }) } } }, file: null };
    }
  }

  /**
   * Asks before something is lost. `--yes` answers; without it and without a terminal the command is refused.
   * @throws KAPPA_NOT_CONFIRMED
   */
  async confirm(effect: string, yes: boolean): Promise<boolean> {
    if (yes) return true;
    if (!this.out.interactive || !process.stdin.isTTY) {
      throw new KappaError('KAPPA_NOT_CONFIRMED', effect, { nextStep: 'Give --yes to confirm.' });
    }
    const terminal = createInterface({ input: process.stdin, output: process.stderr });
    // Ctrl-C and Ctrl-D at the question are a no; without these the question would stay open.
    const left = new AbortController();
    for (const event of ['SIGINT', 'close']) terminal.once(event, () => left.abort());
    try {
      const answer = await terminal.question(`${effect}\nContinue? (y/N) `, {
        signal: AbortSignal.any([this.signal, left.signal]),
      });
      return /^y(es)?$/i.test(answer.trim());
    } catch (error) {
      if (!left.signal.aborted && !this.signal.aborted) throw error;
      this.out.note('');
      return false;
    } finally {
      terminal.close();
    }
  }

  async close(): Promise<void> {
    await this.#session?.close();
    this.#session = null;
  }
}
