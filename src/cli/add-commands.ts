import type { Command } from 'commander';
import type { CommandContext, GlobalFlags } from './command-context.js';

/** The work of a command; its result is the exit code, 0 where there is none. */
export type Work = (context: CommandContext) => Promise<number | undefined>;
export type RunWork = (flags: GlobalFlags, work: Work) => Promise<void>;

/** Adds a command group: each command's action hands its work over. */
export type AddCommands = (program: Command, run: (command: Command, work: Work) => Promise<void>) => void;
