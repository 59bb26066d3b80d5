/** What a holder may do. `root` names the others; `ledger` is the key by which a side signs its own checkpoints. */
export const roles = ['root', 'sealer', 'reviewer', 'carrier', 'receiver', 'approver', 'auditor', 'ledger'] as const;
export type Role = (typeof roles)[number];

export function isRole(name: string): name is Role {
  return roles.some((role) => role === name);
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
const DUTIES: ReadonlySet<Role> = new Set(['sealer', 'carrier', 'receiver', 'approver', 'auditor']);

export function holdersApart(a: Role, b: Role): boolean {
  return a !== b && DUTIES.has(a) && DUTIES.has(b);
}
