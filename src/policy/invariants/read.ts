import type { AddressRange } from '../addresses.ts';
import { blockIn, Field } from '../decode.ts';
import { decodeDocument, placeText, splitDocuments } from '../document.ts';
import { policyFault } from '../faults.ts';
import { Findings } from '../findings.ts';
import { ALL_PORTS } from '../port-set.ts';
import { DEMANDS, type Endpoint, type Invariant, parseEndpoint, parsePorts, type Ranges } from './invariant.ts';

export interface InvariantFile {
  readonly ranges: Ranges;
  readonly invariants: readonly Invariant[];
}

/** Reads a file of invariants (docs/spec/invariants.md). Throws policy.invariant-invalid, with file and line. */
export function readInvariants(name: string, bytes: Uint8Array): InvariantFile {
  const invalid = (where: string, detail: string): Error => policyFault('policy.invariant-invalid', { where, detail });
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw invalid(`${name}:1`, 'The file is not UTF-8.');
  }
  const [document, second] = splitDocuments(name, text);
  if (document === undefined) throw invalid(`${name}:1`, 'The file is empty.');
  if (second !== undefined) throw invalid(`${name}:${second.line}`, 'There is a second document.');
  const decoded = decodeDocument(document);
  if (!decoded.ok) throw invalid(`${name}:${decoded.line}`, decoded.detail);
  const findings = new Findings();
  const root = new Field(decoded.value, { document, key: [] }, findings);
  const read = root.only('sallyport-invariants', 'ranges', 'invariants') ? contentOf(root) : undefined;
  const error = findings.errors[0];
  if (error !== undefined || read === undefined) {
    throw invalid(error?.where ?? `${name}:1`, error?.detail ?? 'It is not a mapping.');
  }
  if (read.invariants.length === 0) throw invalid(`${name}:1`, "It has no 'invariants'.");
  return read;
}

function contentOf(root: Field): InvariantFile {
  const version = root.at('sallyport-invariants');
  if (version.value !== '1.0') version.wrong('This version reads sallyport-invariants: "1.0", in quotes.');
  const ranges = new Map<string, readonly AddressRange[]>();
  const named = root.at('ranges');
  if (!named.absent && named.object()) {
    for (const key of Object.keys(named.value as object)) {
      if (!/^[a-z][a-z0-9-]*$/.test(key)) named.at(key).wrong(`'${key}' is no name: a-z, 0-9 and '-'.`);
      const blocks = named
        .at(key)
        .items()
        .map((item) => blockIn(item));
      ranges.set(
        key,
        blocks.filter((block) => block !== undefined),
      );
    }
  }
  const names = new Set<string>();
  const invariants = root
    .at('invariants')
    .items()
    .map((item) => invariantOf(item, ranges))
    .filter((one) => one !== undefined);
  for (const { name } of invariants) {
    if (names.has(name)) root.at('invariants').wrong(`Two invariants are called '${name}'.`);
    names.add(name);
  }
  return { ranges, invariants };
}

function invariantOf(item: Field, ranges: Ranges): Invariant | undefined {
  if (!item.only('name', 'reason', 'future', 'may-be-empty', ...DEMANDS)) return undefined;
  const name = item.at('name').text();
  const given = DEMANDS.filter((one) => !item.at(one).absent);
  const demand = given[0];
  if (demand === undefined || given.length > 1) return item.wrong(`Exactly one of ${DEMANDS.join(', ')} is wanted.`);
  const inner = item.at(demand);
  if (!inner.only('from', 'to', 'ports')) return undefined;
  const [from, to] = [endsOf(inner.at('from'), ranges), endsOf(inner.at('to'), ranges)];
  const portsField = inner.at('ports');
  const portWords = portsField.absent
    ? undefined
    : Array.isArray(portsField.value)
      ? portsField.items().map((one) => one.text())
      : [portsField.text()];
  const ports = portWords === undefined ? ALL_PORTS : parsePorts(portWords.join(','));
  if (ports === undefined) return portsField.wrong("It is no list of ports such as 'TCP 80-90,443,UDP 53'.");
  const flag = (key: string): boolean => {
    const field = item.at(key);
    if (!field.absent && typeof field.value !== 'boolean') field.wrong(`${key} is 'true' or 'false'.`);
    return field.value === true;
  };
  const reason = item.at('reason').absent ? '' : (item.at('reason').text() ?? '');
  if (name === undefined || from === undefined || to === undefined) return undefined;
  const where = placeText(item.place);
  return { name, demand, from, to, ports, reason, future: flag('future'), mayBeEmpty: flag('may-be-empty'), where };
}

/** A text, or a list of texts of which any is meant. */
function endsOf(field: Field, ranges: Ranges): Endpoint[] | undefined {
  if (field.absent) return field.wrong(`'${field.name}' is missing.`);
  const items = Array.isArray(field.value) ? field.items() : [field];
  if (items.length === 0) return field.wrong(`'${field.name}' is an empty list, which is nothing.`);
  const out: Endpoint[] = [];
  for (const item of items) {
    const text = item.text();
    if (text === undefined) return undefined;
    const ends = parseEndpoint(text, ranges);
    if (typeof ends === 'string') return item.wrong(ends);
    out.push(...ends);
  }
  return out;
}
