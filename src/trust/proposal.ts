import { type Instant, instantOf, isInstant, printable } from '#kernel';
import type { PublicKey } from './algorithm.ts';
import { trustFault } from './faults.ts';
import type { PublicHalf } from './public-half.ts';
import {
  encodeRoot,
  foldName,
  isRevocationReason,
  parseRoot,
  type Revocation,
  type Root,
  type RootDraft,
} from './root.ts';
import { type Custody, holdersApart, isRole, type Role, roles as allRoles, rolesInOrder } from './role.ts';

/** How long a proposed root holds where nothing else is said: a side behind a gap gets the next one only by medium. */
export const ROOT_DAYS = 3 * 365;
const DAY = 86_400_000;

/** What is to be different in the next root. */
export interface Change {
  /** Public halves. A holder whom the root knows gets these keys in place of the ones before. */
  readonly add?: readonly PublicHalf[];
  /** `ROLE,ROLE`: for every new holder. `HOLDER=ROLE,ROLE`: from now on the roles of this one. */
  readonly roles?: readonly string[];
  readonly remove?: readonly string[];
  /** Names of holders, or key ids; the root never accepts these keys again. */
  readonly revoke?: readonly string[];
  readonly reason?: string;
  /** `ROLE=N`. */
  readonly thresholds?: readonly string[];
  /** An instant, or a day. */
  readonly expires?: string;
  readonly custody?: Custody;
}

interface Person {
  readonly name: string;
  keys: readonly PublicKey[];
  readonly require: Map<Role, readonly string[]>;
}

const wrong = (detail: string, where = '') => trustFault('trust.proposal', { where, detail });

/** What a root says, in the form in which the next one is written. */
export function draftOf(root: Root): RootDraft {
  return {
    version: root.version,
    site: root.site,
    custody: root.custody,
    expires: root.expires,
    holders: root.holders.map(({ name, keys, require }) => ({ name, keys, require: Object.fromEntries(require) })),
    roles: Object.fromEntries(root.roles),
    thresholds: Object.fromEntries(root.thresholds),
    channels: root.channels,
    revoked: root.revoked,
  };
}

/**
 * The payload of the version after `root`. It is read back by the rules for every root before it is given out, so
 * nothing is proposed that nobody would accept. Throws usage faults (trust.proposal, trust.duties-apart).
 */
export function proposeRoot(root: Root, change: Change, now: number): { payload: Uint8Array; root: Root } {
  const people = new Map<string, Person>(
    root.holders.map(({ name, keys, require }) => [foldName(name), { name, keys, require: new Map(require) }]),
  );
  const known = (name: string): Person => {
    const person = people.get(foldName(name));
    if (person === undefined) throw wrong(`The root knows no holder ${printable(name)}.`);
    return person;
  };
  const added = addKeys(people, change.add ?? [], root.revoked);
  giveRoles(people, added, change.roles ?? []);
  for (const name of change.remove ?? []) {
    leave(known(name), people);
  }
  const revoked = revoke(root, people, change, instantOf(now));
  const listed: Partial<Record<Role, string[]>> = {};
  for (const { name, require } of people.values()) {
    for (const role of require.keys()) (listed[role] ??= []).push(name);
  }
  const draft: RootDraft = {
    version: root.version + 1,
    site: root.site,
    custody: change.custody ?? root.custody,
    expires: expiryOf(change.expires, now),
    holders: [...people.values()]
      .filter(({ require }) => require.size > 0)
      .map(({ name, keys, require }) => ({
        name,
        keys: keys.filter(({ keyid }) => [...require.values()].some((ids) => ids.includes(keyid))),
        require: Object.fromEntries(require),
      })),
    roles: listed,
    thresholds: thresholdsOf(root, listed, change.thresholds ?? []),
    channels: root.channels,
    revoked,
  };
  if ((draft.custody === 'rehearsal') !== (root.custody === 'rehearsal')) {
    throw wrong(`Its custody is ${root.custody}: a root for practice never becomes a real one. Make another home.`);
  }
  keepApart(draft);
  const payload = encodeRoot(draft);
  const read = parseRoot(payload);
  if (!read.ok) throw wrong(read.reason.detail, read.reason.where);
  return { payload, root: read.value };
}

/** Brings keys in and returns the holders whom the root did not know before. */
function addKeys(
  people: Map<string, Person>,
  halves: readonly PublicHalf[],
  revoked: readonly Revocation[],
): readonly Person[] {
  const brought = new Map<string, { name: string; keys: Map<string, PublicKey> }>();
  for (const { holder, key } of halves) {
    const gone = revoked.find(({ keyid }) => keyid === key.keyid);
    if (gone !== undefined) throw wrong(`Key ${key.keyid} is revoked (${gone.reason}) and never comes back.`);
    const one = brought.get(foldName(holder)) ?? { name: holder, keys: new Map() };
    one.keys.set(key.keyid, key);
    brought.set(foldName(holder), one);
  }
  const added: Person[] = [];
  for (const [folded, { name, keys }] of brought) {
    const person = people.get(folded);
    if (person === undefined) {
      const made: Person = { name, keys: [...keys.values()], require: new Map() };
      people.set(folded, made);
      added.push(made);
      continue;
    }
    const personal = [...person.require.keys()].filter((role) => role !== 'ledger');
    for (const role of personal) person.require.set(role, [...keys.keys()]);
    person.keys = [...person.keys.filter(({ keyid }) => isFor(person, keyid, 'ledger')), ...keys.values()];
  }
  return added;
}

function isFor(person: Person, keyid: string, role: Role): boolean {
  return person.require.get(role)?.includes(keyid) === true;
}

function giveRoles(people: Map<string, Person>, added: readonly Person[], texts: readonly string[]): void {
  for (const text of texts) {
    const [, name, list] = /^(?:(.+)=)?([^=]*)$/s.exec(text) ?? [];
    const wanted = (list ?? '').split(',').map((role) => {
      if (!isRole(role))
        throw wrong(
          `${printable(role)} is no role; roles are ${allRoles.join(', ')}, and sealer:CHANNEL.`,
          `--role ${printable(text)}`,
        );
      return role;
    });
    if (name === undefined && added.length === 0) {
      throw wrong(
        `No new holder is added; say whose roles they are: --role HOLDER=${printable(list ?? '')}.`,
        `--role ${printable(text)}`,
      );
    }
    const person = name === undefined ? undefined : people.get(foldName(name));
    if (name !== undefined && person === undefined) throw wrong(`The root knows no holder ${printable(name)}.`);
    // Plain roles never take away those that a holder was given by name.
    for (const one of person === undefined ? added : [person])
      setRoles(one, person === undefined ? [...one.require.keys(), ...wanted] : wanted);
  }
  const idle = added.find(({ require }) => require.size === 0);
  if (idle !== undefined) {
    throw wrong(
      `${idle.name} would have no role: say --role '${idle.name}=ROLE', or --role ROLE for all that are added.`,
    );
  }
}

function setRoles(person: Person, wanted: readonly Role[]): void {
  const before = new Map(person.require);
  const ledger = before.get('ledger');
  const ids = person.keys.map(({ keyid }) => keyid);
  const personal = ids.filter((id) => ledger?.includes(id) !== true);
  person.require.clear();
  for (const role of new Set(wanted)) {
    if (role === 'ledger' && wanted.every((other) => other === 'ledger') && ledger === undefined && before.size === 0) {
      person.require.set(role, ids);
      continue;
    }
    const required = role === 'ledger' ? ledger : (before.get(role) ?? personal);
    if (required === undefined || required.length === 0) {
      throw wrong(
        `${person.name} has no key for the role ${role}: the ledger's key and a person's are never the same.`,
      );
    }
    person.require.set(role, required);
  }
}

function leave(person: Person, people: Map<string, Person>): void {
  if (person.require.has('ledger')) {
    throw wrong(
      `${person.name} keeps the key of the site's ledger. Leave that in the root with --role '${person.name}=ledger', which takes every other role away.`,
    );
  }
  people.delete(foldName(person.name));
}

/** All revoked keys, the earlier ones first: what is revoked stays revoked. */
function revoke(root: Root, people: Map<string, Person>, change: Change, since: Instant): readonly Revocation[] {
  const asked = change.revoke ?? [];
  if (asked.length === 0) return root.revoked;
  const reason = change.reason ?? 'revoked';
  if (!isRevocationReason(reason)) throw wrong('The reason is empty, longer than 256 characters or not plain text.');
  const gone = new Set<string>();
  for (const who of asked) {
    const holder = root.holders.find(({ name }) => foldName(name) === foldName(who));
    const owner = holder ?? root.holders.find(({ keys }) => keys.some(({ keyid }) => keyid === who));
    if (owner === undefined) throw wrong(`The root knows no holder and no key ${printable(who)}.`);
    const person = people.get(foldName(owner.name));
    if (holder !== undefined) {
      if (holder.require.has('ledger')) {
        throw wrong(`${holder.name} also keeps the key of the site's ledger: revoke the other keys by their ids.`);
      }
      for (const { keyid } of holder.keys) gone.add(keyid);
      // Keys that this change brings for the holder stay; without any, the holder leaves.
      if (person !== undefined && person.keys.some(({ keyid }) => gone.has(keyid)))
        people.delete(foldName(person.name));
      continue;
    }
    gone.add(who);
    for (const [role, ids] of person?.require ?? []) {
      if (!ids.includes(who)) continue;
      if (ids.length > 1) {
        throw wrong(
          `${owner.name} signs as ${role} with ${ids.length} keys together, and one alone would say less. Bring new keys with 'trust rotate', or revoke the holder.`,
        );
      }
      person?.require.delete(role);
    }
  }
  const before = new Set(root.revoked.map(({ keyid }) => keyid));
  return [...root.revoked, ...[...gone].filter((id) => !before.has(id)).map((keyid) => ({ keyid, since, reason }))];
}

function thresholdsOf(
  root: Root,
  listed: Readonly<Partial<Record<Role, readonly string[]>>>,
  texts: readonly string[],
): Partial<Record<Role, number>> {
  const asked = new Map<Role, number>();
  for (const text of texts) {
    const [, role = '', count = ''] = /^([^=]+)=([0-9]{1,3})$/.exec(text) ?? [];
    if (!isRole(role)) throw wrong('A threshold is ROLE=N, for example sealer=2.', `--threshold ${printable(text)}`);
    if (listed[role] === undefined)
      throw wrong(`Nobody would have the role ${role}.`, `--threshold ${printable(text)}`);
    asked.set(role, Number(count));
  }
  const thresholds: Partial<Record<Role, number>> = {};
  for (const role of rolesInOrder(Object.keys(listed).filter(isRole))) {
    const names = listed[role];
    if (names === undefined) continue;
    const threshold = asked.get(role) ?? root.thresholds.get(role) ?? 1;
    if (threshold < 1 || threshold > names.length) {
      throw wrong(
        `The threshold of ${role} would be ${threshold}, with ${names.length} to sign: ${names.join(', ')}. Say --threshold ${role}=N.`,
      );
    }
    thresholds[role] = threshold;
  }
  if (listed.ledger === undefined && root.roles.has('ledger')) {
    throw wrong(
      'The root would no longer say whose the key of the ledger is. It is as old as the log: where it is known to others, make a new home.',
    );
  }
  if (listed.root === undefined) throw wrong('Nobody would hold the root, so it could never be changed again.');
  return thresholds;
}

function expiryOf(text: string | undefined, now: number): Instant {
  if (text === undefined) return instantOf(now + ROOT_DAYS * DAY);
  const instant = /^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00:00Z` : text;
  if (!isInstant(instant))
    throw wrong('It is no time like 2027-01-31T00:00:00Z and no day like 2027-01-31.', `--expires ${printable(text)}`);
  if (Date.parse(instant) <= now)
    throw wrong(`It is over: the clock says ${instantOf(now)}.`, `--expires ${printable(text)}`);
  return instant;
}

function keepApart(draft: RootDraft): void {
  if (draft.custody !== 'shared') return;
  for (const { name, require } of draft.holders) {
    const held = Object.keys(require).filter(isRole);
    const second = held.find((role) => held.some((other) => holdersApart(role, other)));
    if (second === undefined) continue;
    const both = held.filter((role) => role === second || holdersApart(role, second));
    throw trustFault('trust.duties-apart', {
      where: name,
      detail: `${name} would be ${both.join(' and ')}.`,
    });
  }
}
