import type { LetterOwnerInfo, LetterOwners } from '../../database/dead-letters/letter-owners.js';
import { POLICY_OWNER, policyOwner } from './policy-owner.js';
import type { PolicyProgress } from './policy-progress.js';

/**
 * Policies as owners of dead letters. Their handlers need the services of the application, so nobody but a running process carries
 * out what is asked for.
 */
export class PolicyOwners implements LetterOwners {
  readonly kind = POLICY_OWNER;

  constructor(private readonly progress: Pick<PolicyProgress, 'list'>) {}

  async all(): Promise<ReadonlyMap<string, LetterOwnerInfo>> {
    const known = await this.progress.list();
    return new Map(
      known.map(({ name }) => [policyOwner(name), { name, label: `policy ${name}`, settles: 'now', remark: null }]),
    );
  }

  withHelp<T>(_: readonly string[], work: () => Promise<T>): Promise<T> {
    return work();
  }
}
