import { KappaError } from '../kernel/errors.js';

/** The command was asked in a wrong way: exit code 2. */
export function wrongUsage(message: string, nextStep: string): KappaError {
  return new KappaError('KAPPA_USAGE', message, { nextStep });
}

/** A whole number of at least `least`, for an option. @throws KAPPA_USAGE */
export function wholeNumber(option: string, text: string, least = 1): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= least) return value;
  throw wrongUsage(`${option} is ${JSON.stringify(text)}`, `Give a whole number from ${least}.`);
}
