/** What stands before the name of a policy, where dead letters name whose they are. */
export const POLICY_OWNER = 'policy';

/** `policy:send-receipts` */
export function policyOwner(name: string): string {
  return `${POLICY_OWNER}:${name}`;
}
