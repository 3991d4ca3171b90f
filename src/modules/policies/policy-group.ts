/** The consumer group of a policy's processes. `prefix`: of the application's own groups, see `ownGroupPrefix`. */
export function policyGroup(prefix: string, name: string): string {
  return `${prefix}.policy-${name}`;
}
