/** What a holder may do. `root` names the others; `ledger` is the key by which a side signs its own checkpoints. */
export const roles = ['root', 'sealer', 'reviewer', 'carrier', 'receiver', 'approver', 'auditor', 'ledger'] as const;
export type PlainRole = (typeof roles)[number];
/** `sealer:CHANNEL` seals bundles of that one channel: it is delegated to its holders. */
export type Role = PlainRole | `sealer:${string}`;

const DELEGATED = /^sealer:[a-z0-9][a-z0-9._-]{0,127}$/;

export function isRole(name: string): name is Role {
  return roles.some((role) => role === name) || DELEGATED.test(name);
}

/** Who seals bundles of a channel beside the sealers of all. */
export function delegatesOf(channel: string): Role {
  return `sealer:${channel}`;
}

/** The duty of a role, whatever channel it is for. */
function dutyOf(role: Role): PlainRole {
  return role.startsWith('sealer:') ? 'sealer' : (role as PlainRole);
}

/** Roles in the order in which they are written: the plain ones, then those of channels by name. */
export function rolesInOrder(named: readonly Role[]): readonly Role[] {
  const rank = (role: Role): number => {
    const plain = roles.indexOf(role as PlainRole);
    return plain < 0 ? roles.length : plain;
  };
  return [...named].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
}

/** Who has the keys. Every verdict says it; only `shared` claims that more than one person had to agree. */
export const custodies = ['shared', 'one-person', 'rehearsal'] as const;
export type Custody = (typeof custodies)[number];

/**
 * Roles that one key must never have both of, whoever holds it: a checkpoint must not pass for a statement of people,
 * and the ledger's key lies on a machine that is always on.
 */
export function keysApart(a: Role, b: Role): boolean {
  return a !== b && (a === 'ledger' || b === 'ledger');
}

/** Duties that one holder must not have both of where custody is shared (NIST SP 800-53 AC-5, separation of duties). */
const DUTIES: ReadonlySet<PlainRole> = new Set(['sealer', 'carrier', 'receiver', 'approver', 'auditor']);

export function holdersApart(a: Role, b: Role): boolean {
  const [one, other] = [dutyOf(a), dutyOf(b)];
  return one !== other && DUTIES.has(one) && DUTIES.has(other);
}
