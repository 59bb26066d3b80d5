import { parseStrictJson } from '#formats';
import { isObject, printable } from '#kernel';
import { decodeDocument, splitDocuments } from '../document.ts';
import type { Engine } from '../engine.ts';
import { endOf, explainConnection, type Outcome } from '../explanation.ts';
import { policyFault } from '../faults.ts';
import type { Cluster } from '../model.ts';
import type { Protocol } from '../port-set.ts';

/** One thing that has to be so (docs/spec/assertions.md): in the words of `policy explain`. */
export interface Assertion {
  readonly from: string;
  readonly to: string;
  readonly port: number;
  readonly protocol: Protocol;
  readonly expect: 'allow' | 'deny';
  /** Why anybody wants it so. */
  readonly reason: string;
  /** `file:line` or `file, assertion N`. */
  readonly where: string;
}

export interface AssertionResult extends Assertion {
  /** `holds`, `fails`, `depends` (on the network plugin), `unknown` (an end that is not there). */
  readonly verdict: 'holds' | 'fails' | 'depends' | 'unknown';
  readonly actual: Outcome | 'unknown';
}

const KEYS = new Set(['from', 'to', 'port', 'protocol', 'expect', 'reason']);
const MOST = 100_000;

/** Reads a file of assertions, YAML or JSON. Throws policy.assertion-invalid. */
export function readAssertions(name: string, bytes: Uint8Array): Assertion[] {
  const invalid = (where: string, detail: string): Error => policyFault('policy.assertion-invalid', { where, detail });
  let value: unknown;
  if (name.endsWith('.json')) {
    const read = parseStrictJson(bytes, { size: 64 * 1024 * 1024 });
    if (!read.ok) throw invalid(`${name} ${read.where}`, read.detail);
    value = read.value;
  } else {
    let text: string;
    try {
      text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    } catch {
      throw invalid(`${name}:1`, 'The file is not UTF-8.');
    }
    const [document, second] = splitDocuments(name, text);
    if (document === undefined || second !== undefined) throw invalid(`${name}:1`, 'One document is expected.');
    const decoded = decodeDocument(document);
    if (!decoded.ok) throw invalid(`${name}:${decoded.line}`, decoded.detail);
    value = decoded.value;
  }
  if (!isObject(value) || value['sallyport-assertions'] !== '1.0') {
    throw invalid(`${name}:1`, 'This version reads sallyport-assertions: "1.0", in quotes.');
  }
  const { assertions } = value;
  const other = Object.keys(value).find((key) => key !== 'sallyport-assertions' && key !== 'assertions');
  if (other !== undefined) throw invalid(name, `'${printable(other)}' is not known.`);
  if (!Array.isArray(assertions) || assertions.length === 0) throw invalid(name, "It has no 'assertions'.");
  if (assertions.length > MOST) throw invalid(name, `It has more than ${MOST} assertions.`);
  return assertions.map((one: unknown, index) => {
    const where = `${name}, assertion ${index + 1}`;
    if (!isObject(one)) throw invalid(where, 'It is no mapping.');
    const unknown = Object.keys(one).find((key) => !KEYS.has(key));
    if (unknown !== undefined) throw invalid(where, `'${printable(unknown)}' is not known.`);
    const { from, to, port, protocol = 'tcp', expect, reason } = one;
    if (typeof from !== 'string' || typeof to !== 'string') throw invalid(where, "'from' and 'to' are texts.");
    if (typeof port !== 'number' || !Number.isInteger(port) || port < 1 || port > 65_535) {
      throw invalid(where, "'port' is a number from 1 to 65535.");
    }
    const upper = typeof protocol === 'string' ? protocol.toUpperCase() : '';
    if (upper !== 'TCP' && upper !== 'UDP' && upper !== 'SCTP') throw invalid(where, "'protocol' is tcp, udp or sctp.");
    if (expect !== 'allow' && expect !== 'deny') throw invalid(where, "'expect' is allow or deny.");
    if (typeof reason !== 'string' || reason.trim() === '') throw invalid(where, "'reason' says why it has to be so.");
    return { from, to, port, protocol: upper, expect, reason, where };
  });
}

/** Whether each assertion is so by the policies. An end that is not there makes it unknown, which is not a pass. */
export function checkAssertions(cluster: Cluster, engine: Engine, assertions: readonly Assertion[]): AssertionResult[] {
  const ends = new Map<string, ReturnType<typeof endOf>>();
  const end = (text: string): ReturnType<typeof endOf> => {
    if (!ends.has(text)) ends.set(text, endOf(text, cluster, engine));
    return ends.get(text);
  };
  return assertions.map((one) => {
    const [from, to] = [end(one.from), end(one.to)];
    const unknown =
      from === undefined ||
      to === undefined ||
      from.is === 'service' ||
      to.is === 'controller' ||
      (from.is === 'address' && to.is === 'address');
    if (unknown) return { ...one, verdict: 'unknown', actual: 'unknown' };
    const actual = explainConnection(cluster, engine, from, to, one.protocol, one.port).verdict;
    const expected: Outcome = one.expect === 'allow' ? 'allowed' : 'denied';
    return { ...one, verdict: actual === 'depends' ? 'depends' : actual === expected ? 'holds' : 'fails', actual };
  });
}

/** What of the cluster somebody has said something about. */
export interface Coverage {
  /** Connections between workloads that are open, and those that an `allow` is about. */
  readonly open: number;
  readonly asserted: number;
  /** Workloads, and those of which something is denied in each direction. */
  readonly workloads: number;
  readonly deniedIn: number;
  readonly deniedOut: number;
  /** Open connections that nobody asserted, at most twenty: `from -> to`. */
  readonly missing: readonly string[];
}

const SHOWN = 20;

export function coverageOf(
  workloads: readonly string[],
  open: readonly { readonly from: string; readonly to: string }[],
  results: readonly AssertionResult[],
): Coverage {
  const held = results.filter(({ verdict }) => verdict === 'holds');
  const allowed = new Set(held.filter(({ expect }) => expect === 'allow').map(({ from, to }) => pair(from, to)));
  const denied = held.filter(({ expect }) => expect === 'deny');
  const names = new Set(workloads);
  const inside = open.filter(({ from, to }) => names.has(from) && names.has(to));
  const missing = inside.filter(
    ({ from, to }) => !allowed.has(pair(from, to)) && !allowed.has(pair(bare(from), bare(to))),
  );
  const counts = (texts: readonly string[]): number => {
    const said = new Set(texts);
    return workloads.filter((name) => said.has(name) || said.has(bare(name))).length;
  };
  return {
    open: inside.length,
    asserted: inside.length - missing.length,
    workloads: workloads.length,
    deniedIn: counts(denied.map(({ to }) => to)),
    deniedOut: counts(denied.map(({ from }) => from)),
    missing: missing.slice(0, SHOWN).map(({ from, to }) => `${from} -> ${to}`),
  };
}

function pair(from: string, to: string): string {
  return `${from}\n${to}`;
}

/** `namespace/name` of `namespace/name[Kind]`. */
function bare(name: string): string {
  return name.replace(/\[[^\]]*\]$/, '');
}
