import { KappaError, type RetriableError, UnknownOutcomeError } from '../../kernel/errors.js';
import type { UniqueClaim } from './append-request.js';
import type { RunTarget } from './run-target.js';

export function valueTaken({ address, handler }: RunTarget, { name, value }: UniqueClaim): KappaError {
  return new KappaError('KAPPA_VALUE_TAKEN', `${name} ${JSON.stringify(value)} belongs to another stream`, {
    facts: { name, value, stream: address.stream, command: handler.commandName },
    nextStep: 'Give another value.',
  });
}

export function tookEffect(stream: string, commandId: string, cause: RetriableError): UnknownOutcomeError {
  return new UnknownOutcomeError(
    `${commandId} has taken effect on ${stream}, and its result cannot be read: ${cause.message}`,
    {
      facts: { stream, commandId },
      nextStep: 'Execute the command again with this id as its idempotencyKey: its first result is the answer.',
      cause,
    },
  );
}

export function idReused({ address, handler }: RunTarget, commandId: string): KappaError {
  return new KappaError(
    'KAPPA_COMMAND_ID_REUSED',
    `the idempotencyKey ${commandId} was used at ${address.stream} for a command with other content`,
    {
      facts: { commandId, stream: address.stream, command: handler.commandName },
      nextStep: 'Give each command its own key, and a repeated one the same content.',
    },
  );
}
