import { createHash } from 'node:crypto';
import { isMap, isSeq, LineCounter, parseDocument } from 'yaml';
import { compareUtf8, isObject, type Json } from '#kernel';
import { needsNewer, parseStrictJson } from '#formats';
import type { Logged } from '#policy';
import type { Flow } from './project.ts';

/** The payload type of an owner's signature (docs/spec/flow-register.md). */
export const REGISTER_PAYLOAD_TYPE = 'application/vnd.sallyport.flow-register+json';

export type RegisterLevel = 'error' | 'warning' | 'note';

/** What an auditor should know of a flow. */
export interface RegisterFinding {
  readonly code:
    | 'register.expired'
    | 'register.review-overdue'
    | 'register.due-soon'
    | 'register.no-date'
    | 'register.no-approver'
    | 'register.no-ticket'
    | 'register.self-approved'
    | 'register.changed'
    | 'register.unsigned'
    | 'register.signature-refused'
    | 'register.signature-unjudged'
    | 'register.unused'
    | 'register.use-unknown'
    | 'register.undeclared';
  readonly level: RegisterLevel;
  readonly where: string;
  readonly detail: string;
}

/** A declared flow, wherever it was declared. */
export interface RegisteredFlow {
  readonly from: string;
  readonly to: string;
  /** `8000/tcp`, each. */
  readonly ports: readonly string[];
  readonly reason: string;
  readonly owner: string;
  readonly approver?: string;
  readonly ticket?: string;
  readonly reviewBy?: string;
  readonly expires?: string;
  /** Whether something seen is a use of it; undefined where that cannot be told. */
  readonly isUse: (use: Logged) => boolean | undefined;
  /** What a signature covers, in the order of docs/spec/flow-register.md; the people and days follow it. */
  readonly content: object;
}

/** One flow as the register has it. */
export interface RegisterRow {
  readonly flow: RegisteredFlow;
  /** `sallyport.yaml:12`. */
  readonly where: string;
  /** RFC 3339, the latest in what was observed. */
  readonly lastUse?: string;
  /** Whose signatures hold for the row as it stands. */
  readonly signedBy: readonly string[];
  readonly findings: readonly RegisterFinding[];
}

/** A use of the network that was seen, the last of its kind. */
export interface Use extends Logged {
  readonly time: string;
}

/** An owner's signature that a root accepts, opened. */
export interface OwnerSignature {
  readonly owner: string;
  readonly holders: readonly string[];
  /** RFC 3339, by the signer's clock. */
  readonly signed: string;
  readonly rows: ReadonlySet<string>;
  /** Where it lies. */
  readonly where: string;
}

export const SOON_DAYS = 30;
const DAY = 86_400_000;

/** The lines on which the flows of a sallyport.yaml begin. */
export function flowLines(bytes: Uint8Array): number[] {
  const lines = new LineCounter();
  const document = parseDocument(new TextDecoder().decode(bytes), { lineCounter: lines });
  const flows = isMap(document.contents) ? document.get('flows', true) : undefined;
  if (!isSeq(flows)) return [];
  return flows.items.map((item) => {
    const range = (item as { range?: readonly number[] | null } | null)?.range;
    return range ? lines.linePos(range[0]!).line : 1;
  });
}

/** A flow of sallyport.yaml. */
export function projectFlow({ from, to, port, protocol, ...people }: Flow): RegisteredFlow {
  const name = flowName({ from, to, ports: [`${port}/${protocol}`] });
  const isUse = (use: Logged): boolean => useName(use) === name;
  return { from, to, ports: [`${port}/${protocol}`], ...people, isUse, content: { from, to, port, protocol } };
}

/** `web -> api 8000/tcp`. */
export function flowName({ from, to, ports }: Pick<RegisteredFlow, 'from' | 'to' | 'ports'>): string {
  return `${from} -> ${to} ${ports.join(', ')}`;
}

/** `shop/web -> shop/api 8000/tcp`; what has no name is named by its labels or its address. */
export function useName({ from, to, port, protocol }: Logged): string {
  const name = ({ namespace, workload, labels = [], address }: Logged['from']): string => {
    const named = labels.join(',');
    if (namespace === undefined) return workload ?? address ?? named;
    return `${namespace}/${workload ?? (named === '' ? '*' : named)}`;
  };
  return flowName({ from: name(from), to: name(to), ports: [`${port}/${protocol.toLowerCase()}`] });
}

/**
 * A flow in the one form that is signed: its keys in the order of docs/spec/flow-register.md, absent ones left out. Two
 * flows are the same if and only if these texts are.
 */
function canonicalRow({ content, reason, owner, approver, ticket, reviewBy, expires }: RegisteredFlow): string {
  return JSON.stringify({ ...content, reason, owner, approver, ticket, 'review-by': reviewBy, expires });
}

/** The payload that an owner signs: the flows that name them as owner, sorted, and of which project. */
export function registerPayload(
  project: string,
  owner: string,
  flows: readonly RegisteredFlow[],
  signed: string,
): Uint8Array {
  const rows = flows
    .filter((flow) => flow.owner === owner)
    .map(canonicalRow)
    .sort(compareUtf8);
  const head = JSON.stringify({ format: 'sallyport-flow-register/1.0', project, owner, signed });
  return new TextEncoder().encode(`${head.slice(0, -1)},"rows":[${rows.join(',')}]}\n`);
}

/** What a payload says; a text says why it is none of this project. */
export function readRegisterPayload(
  bytes: Uint8Array,
  project: string,
): { owner: string; signed: string; rows: Set<string> } | string {
  const read = parseStrictJson(bytes);
  if (!read.ok) return 'It is not strict JSON.';
  const value = read.value;
  if (!isObject(value)) return 'It is no object.';
  const { format, critical, project: of, owner, signed, rows } = value as Record<string, Json>;
  const version = typeof format === 'string' ? /^sallyport-flow-register\/(.*)$/.exec(format)?.[1] : undefined;
  if (version === undefined) return 'It is of another format.';
  const newer = needsNewer(version, critical);
  if (newer !== undefined) return newer;
  if (of !== project) return `It is about the project '${String(of)}'.`;
  if (typeof owner !== 'string' || typeof signed !== 'string' || !Array.isArray(rows)) return 'A field is missing.';
  return { owner, signed, rows: new Set(rows.map((row) => JSON.stringify(row))) };
}

/** A version of the register: 16 hex digits over all its rows, for people to compare. */
export function registerVersion(flows: readonly RegisteredFlow[]): string {
  const rows = flows.map(canonicalRow).sort(compareUtf8);
  return createHash('sha256').update(rows.join('\n')).digest('hex').slice(0, 16);
}

/** `today`: milliseconds since the epoch. `uses` undefined: nothing was observed. */
export function registerOf(
  flows: readonly { readonly flow: RegisteredFlow; readonly where: string }[],
  signatures: readonly OwnerSignature[],
  uses: readonly Use[] | undefined,
  today: number,
): { rows: RegisterRow[]; findings: RegisterFinding[] } {
  const lastUse = new Map<RegisteredFlow, string>();
  const unclear = new Set<RegisteredFlow>();
  const stray: { name: string; use: Use; perhaps: boolean }[] = [];
  for (const use of lastOfEach(uses ?? [])) {
    const name = useName(use);
    let [declared, perhaps] = [false, false];
    for (const { flow } of flows) {
      const is = flow.isUse(use);
      declared ||= is === true;
      perhaps ||= is === undefined;
      if (use.denied) continue;
      if (is === true && use.time > (lastUse.get(flow) ?? '')) lastUse.set(flow, use.time);
      else if (is === undefined) unclear.add(flow);
    }
    if (!declared) stray.push({ name, use, perhaps });
  }
  const rows = flows.map(({ flow, where }): RegisterRow => {
    const canonical = canonicalRow(flow);
    const own = signatures.filter(({ owner }) => owner === flow.owner);
    const signedBy = [...new Set(own.filter((one) => one.rows.has(canonical)).flatMap(({ holders }) => holders))];
    const used = lastUse.get(flow);
    const findings = [
      ...dateFindings(flow, where, today),
      ...peopleFindings(flow, where),
      ...signatureFindings(flow, where, own, signedBy),
    ];
    if (uses !== undefined && used === undefined && unclear.has(flow)) {
      const detail = `${flowName(flow)} may be used in what was observed; its names are not those of the flow.`;
      findings.push({ code: 'register.use-unknown', level: 'note', where, detail });
    } else if (uses !== undefined && used === undefined) {
      const detail = `${flowName(flow)} is not used in what was observed.`;
      findings.push({ code: 'register.unused', level: 'warning', where, detail });
    }
    return { flow, where, ...(used === undefined ? {} : { lastUse: used }), signedBy, findings };
  });
  const findings = stray.map(({ name, use, perhaps }): RegisterFinding => {
    if (perhaps) {
      const detail = `Whether a flow declares ${name}, seen at ${use.time}, cannot be told.`;
      return { code: 'register.use-unknown', level: 'note', where: name, detail };
    }
    const detail = use.denied
      ? `${name} was tried at ${use.time} and stopped; no flow declares it.`
      : `${name} was used at ${use.time}; no flow declares it.`;
    return { code: 'register.undeclared', level: use.denied ? 'warning' : 'error', where: name, detail };
  });
  return { rows, findings };
}

/** What was stopped apart from what was not. */
function lastOfEach(uses: readonly Use[]): Iterable<Use> {
  const last = new Map<string, Use>();
  for (const use of uses) {
    const key = JSON.stringify([
      use.denied,
      useName(use),
      use.from.labels,
      use.to.labels,
      use.from.address,
      use.to.address,
    ]);
    const before = last.get(key);
    if (before === undefined || before.time < use.time) last.set(key, use);
  }
  return last.values();
}

function dateFindings(flow: RegisteredFlow, where: string, today: number): RegisterFinding[] {
  const name = flowName(flow);
  const findings: RegisterFinding[] = [];
  // A day ends where it ends last: a flow is overdue when the day after it has begun in UTC.
  const left = (day: string): number => Math.floor((Date.parse(`${day}T00:00:00Z`) + DAY - today) / DAY);
  const judge = (day: string | undefined, over: 'register.expired' | 'register.review-overdue', what: string): void => {
    if (day === undefined) return;
    const days = left(day);
    if (days < 0) findings.push({ code: over, level: 'error', where, detail: `${name}: ${what} ${day}.` });
    else if (days <= SOON_DAYS) {
      const when = days === 0 ? 'today' : `in ${days} ${days === 1 ? 'day' : 'days'}`;
      findings.push({
        code: 'register.due-soon',
        level: 'warning',
        where,
        detail: `${name}: ${what} ${day}, ${when}.`,
      });
    }
  };
  judge(flow.expires, 'register.expired', 'expires');
  judge(flow.reviewBy, 'register.review-overdue', 'review by');
  if (flow.expires === undefined && flow.reviewBy === undefined) {
    const detail = `${name} has neither 'review-by' nor 'expires'.`;
    findings.push({ code: 'register.no-date', level: 'warning', where, detail });
  }
  return findings;
}

function peopleFindings(flow: RegisteredFlow, where: string): RegisterFinding[] {
  const name = flowName(flow);
  const findings: RegisterFinding[] = [];
  if (flow.approver === undefined) {
    findings.push({ code: 'register.no-approver', level: 'note', where, detail: `${name} has no approver.` });
  } else if (flow.approver === flow.owner) {
    const detail = `${name}: '${flow.owner}' is its owner and its approver.`;
    findings.push({ code: 'register.self-approved', level: 'warning', where, detail });
  }
  if (flow.ticket === undefined) {
    findings.push({ code: 'register.no-ticket', level: 'note', where, detail: `${name} has no ticket.` });
  }
  return findings;
}

function signatureFindings(
  flow: RegisteredFlow,
  where: string,
  own: readonly OwnerSignature[],
  signedBy: readonly string[],
): RegisterFinding[] {
  if (signedBy.length > 0) return [];
  const name = flowName(flow);
  const last = own.toSorted((a, b) => (a.signed < b.signed ? 1 : -1))[0];
  if (last === undefined) {
    return [{ code: 'register.unsigned', level: 'note', where, detail: `${name}: '${flow.owner}' has not signed.` }];
  }
  const detail = `${name} is not as '${flow.owner}' signed it at ${last.signed} (${last.where}).`;
  return [{ code: 'register.changed', level: 'warning', where, detail }];
}
