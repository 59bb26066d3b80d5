import { createHash } from 'node:crypto';
import { decodeBase64, encodeBase64, encodeEnvelope, type Envelope, needsNewer, pae, parseStrictJson } from '#formats';
import { type Instant, isInstant, isObject, printable } from '#kernel';
import { type PublicKey, readPublicKey, signatureFits } from './algorithm.ts';
import { type Draft, DRAFT_SIZE_LIMIT, encodeDraft, mergeSignatures, parseDraft, progressOf } from './draft.ts';
import type { PublicHalf } from './public-half.ts';
import { foldName, type Holder, isHolderName, isRevocationReason, type Root } from './root.ts';

export const CEREMONY_PAYLOAD_TYPE = 'application/vnd.sallyport.ceremony';
export const CEREMONY_SIZE_LIMIT = 2 * DRAFT_SIZE_LIMIT;
const STEPS_LIMIT = 512;
const WITNESSES_LIMIT = 16;

/** The machine on which a step was taken, by its own words. */
export interface Machine {
  readonly name: string;
  readonly system: string;
  /** What does operations there. */
  readonly module: string;
  /** Interfaces other than loopback that have an address: empty is offline. */
  readonly network: readonly string[];
}

export const stepKinds = ['opened', 'confirmed', 'signed', 'noted', 'closed', 'aborted'] as const;
export type StepKind = (typeof stepKinds)[number];

export interface Step {
  readonly what: StepKind;
  /** A holder, a witness, or for what needs no key whoever says it. */
  readonly who: string;
  readonly time: Instant;
  readonly machine: Machine;
  /** `signed`: the key, and what signed. */
  readonly keyid?: string;
  readonly module?: string;
  /** `noted` and `aborted`: 1 to 256 printable characters. */
  readonly text?: string;
}

/** A root ceremony on its way (docs/spec/ceremony.md). */
export interface Ceremony {
  /** 32 hex digits, by chance. */
  readonly id: string;
  readonly draft: Draft & { readonly previous: NonNullable<Draft['previous']> };
  readonly network: 'forbidden' | 'allowed';
  readonly witnesses: readonly PublicHalf[];
  /** In the order of the transcript. */
  readonly steps: readonly Step[];
  /** Signatures over the transcript, once it has ended. */
  readonly attestations: Envelope['signatures'];
}

export function encodeCeremony(ceremony: Ceremony): Uint8Array {
  const { id, draft, network, witnesses, steps, attestations } = ceremony;
  const text = JSON.stringify({
    'sallyport-ceremony': '1.0',
    id,
    draft: encodeBase64(encodeDraft(draft)),
    network,
    witnesses: witnesses.map(({ holder, key }) => ({ holder, public: encodeBase64(key.spki) })),
    steps,
    attestations: attestations.map(({ keyid, sig }) => ({ keyid, sig: encodeBase64(sig) })),
  });
  return Buffer.from(`${text}\n`, 'utf8');
}

/** A ceremony that keeps all rules, or one sentence on the first that it breaks. */
export function parseCeremony(bytes: Uint8Array): Ceremony | string {
  const parsed = parseStrictJson(bytes, { size: CEREMONY_SIZE_LIMIT });
  if (!parsed.ok)
    return `CER-1: it is no strict JSON${parsed.where === '' ? '' : ` at ${parsed.where}`}: ${parsed.detail}`;
  if (!isObject(parsed.value)) return 'CER-1: it is no JSON object.';
  const {
    'sallyport-ceremony': format,
    critical,
    id,
    draft: text,
    network,
    witnesses,
    steps,
    attestations,
  } = parsed.value;
  const newer = needsNewer(format, critical);
  if (newer !== undefined) return `CER-1: ${newer}`;
  if (typeof id !== 'string' || !/^[0-9a-f]{32}$/.test(id)) return 'CER-1: its id is not 32 hex digits.';
  if (network !== 'forbidden' && network !== 'allowed') return "CER-1: 'network' is neither forbidden nor allowed.";
  const file = typeof text === 'string' ? decodeBase64(text) : undefined;
  const draft = file === undefined ? 'it is not base64.' : parseDraft(file);
  if (typeof draft === 'string') return `CER-2: the draft in it: ${draft}`;
  const { previous } = draft;
  if (previous === undefined) return 'CER-2: what it holds is no draft: the root before is missing.';
  const watching = parseWitnesses(witnesses);
  if (typeof watching === 'string') return watching;
  if (!Array.isArray(steps) || steps.length > STEPS_LIMIT) return `CER-1: there must be at most ${STEPS_LIMIT} steps.`;
  const taken: Step[] = [];
  for (const [index, value] of steps.entries()) {
    const step = parseStep(value);
    if (step === undefined) return `CER-1: step ${index + 1} is not understood.`;
    taken.push(step);
  }
  const signatures = parseSignatures(attestations);
  if (signatures === undefined) return 'CER-1: the attestations are not a list of signatures.';
  const ceremony: Ceremony = {
    id,
    draft: { ...draft, previous },
    network,
    witnesses: watching,
    steps: taken,
    attestations: signatures,
  };
  return broken(ceremony) ?? ceremony;
}

function parseWitnesses(value: unknown): readonly PublicHalf[] | string {
  if (!Array.isArray(value) || value.length > WITNESSES_LIMIT) return 'CER-1: the witnesses are not a list.';
  const read: PublicHalf[] = [];
  for (const one of value) {
    if (!isObject(one)) return 'CER-1: a witness is an object.';
    const { holder, public: text } = one;
    const key = typeof text === 'string' ? readPublicKey(text) : undefined;
    if (!isHolderName(holder) || key === undefined) return 'CER-1: a witness has no name or no public key.';
    read.push({ holder, key });
  }
  return read;
}

function parseSignatures(value: unknown): Envelope['signatures'] | undefined {
  if (!Array.isArray(value) || value.length > 64) return undefined;
  const read: { keyid: string; sig: Uint8Array }[] = [];
  for (const one of value) {
    const { keyid, sig } = isObject(one) ? one : {};
    const bytes = typeof sig === 'string' ? decodeBase64(sig) : undefined;
    if (typeof keyid !== 'string' || bytes === undefined || bytes.length > 8192) return undefined;
    read.push({ keyid, sig: bytes });
  }
  return read;
}

function isShort(value: unknown, limit = 512): value is string {
  return typeof value === 'string' && value !== '' && value.length <= limit && printable(value) === value;
}

function parseStep(value: unknown): Step | undefined {
  if (!isObject(value)) return undefined;
  const { what, who, time, machine, keyid, module, text, ...more } = value;
  const kind = stepKinds.find((known) => known === what);
  if (kind === undefined || !isHolderName(who) || !isInstant(time) || !isObject(machine)) return undefined;
  const { name, system, module: works, network, ...other } = machine;
  if (!isShort(name) || !isShort(system) || !isShort(works) || Object.keys({ ...more, ...other }).length > 0)
    return undefined;
  if (!Array.isArray(network) || network.length > 64 || !network.every((one) => isShort(one, 64))) return undefined;
  const signed = kind === 'signed';
  const said = kind === 'noted' || kind === 'aborted';
  if (signed ? typeof keyid !== 'string' || !isShort(module) : keyid !== undefined || module !== undefined)
    return undefined;
  if (said ? !isRevocationReason(text) : text !== undefined) return undefined;
  return {
    what: kind,
    who,
    time,
    machine: { name, system, module: works, network: network as string[] },
    ...(signed ? { keyid: keyid as string, module: module as string } : {}),
    ...(said ? { text: text as string } : {}),
  };
}

function quoted(text: string): string {
  return JSON.stringify(text);
}

function lineOf({ what, who, time, machine, keyid, module, text }: Step): string {
  const where = [machine.name, machine.system, machine.module].map(quoted).join(' ');
  const detail =
    keyid === undefined ? (text === undefined ? '' : ` ${quoted(text)}`) : ` ${keyid} ${quoted(module ?? '')}`;
  const network = machine.network.length === 0 ? 'offline' : `network ${machine.network.map(quoted).join(',')}`;
  return `${time} ${what} ${quoted(who)}${detail} on ${where} ${network}`;
}

/** The order of the transcript: by time, what opens first and what ends last, else by the line itself. */
function inOrder(steps: readonly Step[]): Step[] {
  const rank = ({ what }: Step): number => (what === 'opened' ? 0 : what === 'closed' || what === 'aborted' ? 2 : 1);
  const key = (step: Step): string => `${step.time} ${rank(step)} ${lineOf(step)}`;
  return [...steps].sort((a, b) => Buffer.compare(Buffer.from(key(a)), Buffer.from(key(b))));
}

/** Holders of role root of a root, by whom it is changed, with the keys that they need for it. */
function rootHolders(root: Root): readonly (Pick<Holder, 'name'> & { readonly keys: readonly PublicKey[] })[] {
  return (root.roles.get('root') ?? []).flatMap((name) => {
    const holder = root.holders.find((one) => one.name === name);
    const required = holder?.require.get('root') ?? [];
    return holder === undefined ? [] : [{ name, keys: holder.keys.filter(({ keyid }) => required.includes(keyid)) }];
  });
}

/** Who takes part with a key of the root, each once, with the keys of either root. */
export function participantsOf({ draft }: Ceremony): ReadonlyMap<string, readonly PublicKey[]> {
  const all = new Map<string, PublicKey[]>();
  for (const { name, keys } of [...rootHolders(draft.previous.root), ...rootHolders(draft.root)]) {
    const known = all.get(name) ?? [];
    all.set(name, [...known, ...keys.filter(({ keyid }) => known.every((one) => one.keyid !== keyid))]);
  }
  return all;
}

/** The canonical text: a function of the ceremony alone, the same for whoever has the same steps. UTF-8, LF. */
export function transcriptOf(ceremony: Ceremony): string {
  const { id, draft, network, witnesses, steps } = ceremony;
  const { root, previous } = draft;
  const lines = [
    'sallyport-ceremony/1.0',
    `id ${id}`,
    `site ${root.site}`,
    `root ${root.version} ${root.fingerprint}`,
    `after ${previous.root.version} ${previous.root.fingerprint}`,
    `custody ${root.custody}`,
    `expires ${root.expires}`,
    `network ${network}`,
  ];
  for (const judge of [previous.root, root]) {
    const names = (judge.roles.get('root') ?? []).map(quoted).join(', ');
    lines.push(`demands ${judge.version} ${judge.thresholds.get('root') ?? 0} of ${names}`);
  }
  const shown = (role: string, name: string, key: PublicKey): string =>
    `${role} ${quoted(name)} ${key.algorithm} ${key.keyid} ${encodeBase64(key.spki)}`;
  for (const [name, keys] of participantsOf(ceremony)) for (const key of keys) lines.push(shown('holder', name, key));
  for (const { holder, key } of witnesses) lines.push(shown('witness', holder, key));
  for (const [index, step] of steps.entries()) lines.push(`step ${index + 1} ${lineOf(step)}`);
  return `${lines.join('\n')}\n`;
}

export function transcriptDigest(ceremony: Ceremony): string {
  return createHash('sha256').update(transcriptOf(ceremony), 'utf8').digest('hex');
}

/** The transcript as an envelope, once somebody attested it. */
export function attestedTranscript(ceremony: Ceremony): Uint8Array {
  return encodeEnvelope({
    payloadType: CEREMONY_PAYLOAD_TYPE,
    payload: Buffer.from(transcriptOf(ceremony), 'utf8'),
    signatures: [...ceremony.attestations].sort((a, b) => (a.keyid < b.keyid ? -1 : 1)),
  });
}

/** What an attestation signs. */
export function attestationMessage(ceremony: Ceremony): Uint8Array {
  return pae(CEREMONY_PAYLOAD_TYPE, Buffer.from(transcriptOf(ceremony), 'utf8'));
}

export function endOf({ steps }: Ceremony): 'closed' | 'aborted' | undefined {
  const last = steps.at(-1)?.what;
  return last === 'closed' || last === 'aborted' ? last : undefined;
}

function has(steps: readonly Step[], what: StepKind, who: string): Step | undefined {
  return steps.find((step) => step.what === what && foldName(step.who) === foldName(who));
}

/** Why a ceremony cannot be closed yet; empty where it can. */
export function missingOf(ceremony: Ceremony): readonly string[] {
  const { draft, witnesses, steps } = ceremony;
  const missing: string[] = [];
  for (const root of [draft.previous.root, draft.root]) {
    const { enough, signed, threshold, missing: names } = progressOf(root, draft);
    if (!enough) {
      missing.push(
        `${signed.length} of ${threshold} holders of version ${root.version} signed; these can: ${names.join(', ')}`,
      );
    }
  }
  for (const { holder } of witnesses) {
    if (has(steps, 'confirmed', holder) === undefined) missing.push(`${holder} has not confirmed the fingerprint`);
  }
  return missing;
}

/** Who attested completely: holders by the keys that the new or the old root requires, witnesses by theirs. */
export function attestedBy(ceremony: Ceremony): {
  readonly holders: readonly string[];
  readonly witnesses: readonly string[];
} {
  const { draft, witnesses, attestations } = ceremony;
  const signed = new Set(attestations.map(({ keyid }) => keyid));
  const complete = (root: Root) => rootHolders(root).filter(({ keys }) => keys.every(({ keyid }) => signed.has(keyid)));
  return {
    holders: [...new Set([...complete(draft.root), ...complete(draft.previous.root)].map(({ name }) => name))],
    witnesses: witnesses.filter(({ key }) => signed.has(key.keyid)).map(({ holder }) => holder),
  };
}

/** Who still has to attest before it is recorded; empty where enough did. */
export function unattested(ceremony: Ceremony): readonly string[] {
  const { root } = ceremony.draft;
  const { holders, witnesses } = attestedBy(ceremony);
  if (endOf(ceremony) === 'aborted') {
    return holders.length + witnesses.length > 0 ? [] : ['nobody has attested how it ended'];
  }
  const threshold = root.thresholds.get('root') ?? 1;
  const own = holders.filter((name) => root.roles.get('root')?.includes(name) === true);
  return [
    ...(own.length < threshold ? [`${own.length} of ${threshold} holders of version ${root.version} attested`] : []),
    ...ceremony.witnesses
      .filter(({ holder }) => !witnesses.includes(holder))
      .map(({ holder }) => `${holder} has not attested`),
  ];
}

/** The first rule that a ceremony breaks. */
function broken(ceremony: Ceremony): string | undefined {
  const { draft, network, witnesses, steps, attestations } = ceremony;
  const participants = participantsOf(ceremony);
  const known = [...participants.keys()].map(foldName);
  for (const [index, { holder, key }] of witnesses.entries()) {
    const others = [...known, ...witnesses.slice(0, index).map((one) => foldName(one.holder))];
    const keys = [draft.previous.root, draft.root].flatMap(({ holders }) => holders.flatMap((one) => one.keys));
    const taken = [...keys, ...witnesses.slice(0, index).map((one) => one.key)].some(
      ({ keyid }) => keyid === key.keyid,
    );
    if (others.includes(foldName(holder)) || taken)
      return `CER-3: ${holder} is a witness and takes part otherwise too.`;
  }
  const lines = steps.map(lineOf);
  if (new Set(lines).size < lines.length) return 'CER-4: a step stands twice.';
  if (inOrder(steps).some((step, index) => step !== steps[index])) return 'CER-4: the steps are not in their order.';
  if (steps[0]?.what !== 'opened') return 'CER-4: its first step does not open it.';
  for (const [index, step] of steps.entries()) {
    if (index > 0 && step.what === 'opened') return 'CER-4: it is opened twice.';
    const ends = step.what === 'closed' || step.what === 'aborted';
    if (ends && index < steps.length - 1) return 'CER-4: there are steps after its end.';
    if (step.what === 'confirmed' || step.what === 'signed') {
      if (network === 'forbidden' && step.machine.network.length > 0) {
        return `CER-6: step ${index + 1} was taken on a machine with a network.`;
      }
    }
    if (
      step.what === 'confirmed' &&
      ![...known, ...witnesses.map(({ holder }) => foldName(holder))].includes(foldName(step.who))
    ) {
      return `CER-5: ${step.who} confirmed and is neither holder nor witness.`;
    }
    if (step.what !== 'signed') continue;
    const confirmed = has(steps, 'confirmed', step.who);
    if (confirmed === undefined || confirmed.time > step.time) {
      return `CER-5: ${step.who} signed without having confirmed the fingerprint.`;
    }
    const own = participants.get(step.who) ?? [];
    if (!own.some(({ keyid }) => keyid === step.keyid)) return `CER-5: step ${index + 1} names no key of ${step.who}.`;
    if (!draft.signatures.some(({ keyid }) => keyid === step.keyid))
      return `CER-5: the signature of step ${index + 1} is missing.`;
  }
  const stepped = steps.filter(({ what }) => what === 'signed').map(({ keyid }) => keyid);
  if (new Set(stepped).size < stepped.length) return 'CER-5: a key signed in two steps.';
  const silent = draft.signatures.find(({ keyid }) => !stepped.includes(keyid));
  if (silent !== undefined) return `CER-5: no step says when key ${printable(silent.keyid)} signed.`;
  const end = endOf(ceremony);
  if (end === 'closed' && missingOf(ceremony).length > 0)
    return `CER-7: it was closed too early: ${missingOf(ceremony).join('; ')}.`;
  if (attestations.length === 0) return undefined;
  if (end === undefined) return 'CER-8: it is attested and has not ended.';
  const message = attestationMessage(ceremony);
  const keys = [...[...participants.values()].flat(), ...witnesses.map(({ key }) => key)];
  for (const [index, { keyid, sig }] of attestations.entries()) {
    const key = keys.find((one) => one.keyid === keyid);
    if (key === undefined || !signatureFits(key, message, sig)) {
      return `CER-8: the attestation by key ${printable(keyid)} does not fit.`;
    }
    if (attestations.findIndex((other) => other.keyid === keyid) !== index)
      return `CER-8: key ${keyid} attested twice.`;
  }
  return undefined;
}

/** A ceremony with one more step, never before those that it has; a sentence where a rule forbids it. */
export function withStep(ceremony: Ceremony, step: Step, draft: Draft = ceremony.draft): Ceremony | string {
  if (endOf(ceremony) !== undefined) return `It was ${endOf(ceremony)}; nothing is added.`;
  const { previous } = ceremony.draft;
  const last = ceremony.steps.at(-1)?.time ?? step.time;
  const later = step.time < last ? { ...step, time: last } : step;
  const next = { ...ceremony, draft: { ...draft, previous }, steps: inOrder([...ceremony.steps, later]) };
  return broken(next) ?? next;
}

/** A ceremony with one more attestation; a sentence where it does not fit. */
export function withAttestation(ceremony: Ceremony, keyid: string, sig: Uint8Array): Ceremony | string {
  const next = { ...ceremony, attestations: [...ceremony.attestations, { keyid, sig }] };
  return broken(next) ?? next;
}

/** What two copies of one ceremony say together. */
export function joinCeremonies(a: Ceremony, b: Ceremony): Ceremony | string {
  const same =
    a.id === b.id &&
    a.network === b.network &&
    Buffer.from(a.draft.payload).equals(b.draft.payload) &&
    a.witnesses.map(({ key }) => key.keyid).join() === b.witnesses.map(({ key }) => key.keyid).join();
  if (!same) return 'They are of two ceremonies.';
  const lines = new Set(a.steps.map(lineOf));
  const steps = inOrder([...a.steps, ...b.steps.filter((step) => !lines.has(lineOf(step)))]);
  const merged = mergeSignatures(a.draft, b.draft.signatures);
  const attested = new Set(a.attestations.map(({ keyid }) => keyid));
  const joined = {
    ...a,
    draft: { ...merged, previous: a.draft.previous },
    steps,
    attestations: [...a.attestations, ...b.attestations.filter(({ keyid }) => !attested.has(keyid))],
  };
  return broken(joined) ?? joined;
}
