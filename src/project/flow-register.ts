import { createHash } from 'node:crypto';
import { isMap, isSeq, LineCounter, parseDocument } from 'yaml';
import { compareUtf8, isObject, type Json } from '#kernel';
import { needsNewer, parseStrictJson } from '#formats';
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

/** A use of the network that was seen. */
export interface Use {
  readonly time: string;
  readonly from: string;
  readonly to: string;
  readonly port: number;
  readonly protocol: string;
  /** It was stopped. */
  readonly denied: boolean;
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
  return { from, to, ports: [`${port}/${protocol}`], ...people, content: { from, to, port, protocol } };
}

/** `web -> api 8000/tcp`. */
export function flowName({ from, to, ports }: Pick<RegisteredFlow, 'from' | 'to' | 'ports'>): string {
  return `${from} -> ${to} ${ports.join(', ')}`;
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
  const lastUse = new Map<string, string>();
  const stray = new Map<string, Use>();
  const usesOf = ({ from, to, ports }: RegisteredFlow): string[] =>
    ports.map((port) => flowName({ from, to, ports: [port] }));
  const declared = new Set(flows.flatMap(({ flow }) => usesOf(flow)));
  for (const use of uses ?? []) {
    const name = flowName({ ...use, ports: [`${use.port}/${use.protocol}`] });
    if (!declared.has(name)) stray.set(name, use);
    else if (!use.denied && use.time > (lastUse.get(name) ?? '')) lastUse.set(name, use.time);
  }
  const rows = flows.map(({ flow, where }): RegisterRow => {
    const canonical = canonicalRow(flow);
    const own = signatures.filter(({ owner }) => owner === flow.owner);
    const signedBy = [...new Set(own.filter((one) => one.rows.has(canonical)).flatMap(({ holders }) => holders))];
    const used = usesOf(flow)
      .map((name) => lastUse.get(name))
      .filter((time) => time !== undefined)
      .sort()
      .at(-1);
    const findings = [
      ...dateFindings(flow, where, today),
      ...peopleFindings(flow, where),
      ...signatureFindings(flow, where, own, signedBy),
    ];
    if (uses !== undefined && used === undefined) {
      const detail = `${flowName(flow)} is not used in what was observed.`;
      findings.push({ code: 'register.unused', level: 'warning', where, detail });
    }
    return { flow, where, ...(used === undefined ? {} : { lastUse: used }), signedBy, findings };
  });
  const findings = [...stray].map(([name, use]): RegisterFinding => {
    const detail = use.denied
      ? `${name} was tried at ${use.time} and stopped; no flow declares it.`
      : `${name} was used at ${use.time}; no flow declares it.`;
    return { code: 'register.undeclared', level: use.denied ? 'warning' : 'error', where: name, detail };
  });
  return { rows, findings };
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

/**
 * Uses from a file: the `report.json` of a rehearsal, whose attempts between machines are uses that no flow declared, or
 * a connection log, a JSON object a line with `time`, `from`, `to`, `port`, `protocol` and perhaps `verdict` (`allowed` or
 * `denied`). A text says what is wrong, with its line.
 */
export function readUses(bytes: Uint8Array): Use[] | string {
  let source: string;
  try {
    source = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return 'line 1: it is not UTF-8.';
  }
  const whole = parsed(source);
  if (isObject(whole as Json) && Array.isArray((whole as { attempts?: unknown }).attempts)) {
    const attempts = (whole as { attempts: Record<string, unknown>[] }).attempts;
    return attempts
      .filter((one) => one['kind'] === 'edge' && one['deliberate'] !== true)
      .map((one) => useOf({ ...one, verdict: 'denied' }))
      .filter((use) => use !== undefined);
  }
  const uses: Use[] = [];
  const lines = source.split('\n');
  for (const [i, line] of lines.entries()) {
    if (line.trim() === '') continue;
    const value = parsed(line);
    const use = isObject(value as Json) ? useOf(value as Record<string, unknown>) : undefined;
    if (use === undefined) {
      return `line ${i + 1}: it is no object with 'time', 'from', 'to', 'port' and 'protocol'.`;
    }
    uses.push(use);
  }
  return uses;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function useOf({ time, from, to, port, protocol, verdict }: Record<string, unknown>): Use | undefined {
  if (typeof time !== 'string' || typeof from !== 'string' || typeof to !== 'string') return undefined;
  if (typeof port !== 'number' || typeof protocol !== 'string' || Number.isNaN(Date.parse(time))) return undefined;
  if (verdict !== undefined && verdict !== 'allowed' && verdict !== 'denied') return undefined;
  return { time, from, to, port, protocol: protocol.toLowerCase(), denied: verdict === 'denied' };
}
