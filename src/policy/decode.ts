import { isObject, type Json } from '#kernel';
import { parseAddress, parseBlock } from './addresses.ts';
import { below, type Place } from './document.ts';
import type { FindingCode, Findings } from './findings.ts';
import type { AddressRange } from './addresses.ts';
import { FIRST_PORT, LAST_PORT, type Protocol, PROTOCOLS } from './port-set.ts';
import { EVERYTHING, type Labels, type Requirement, type Selector, selectorOf } from './selector.ts';

/** A value of a manifest with its place, read field by field; what is wrong becomes a finding. */
export class Field {
  readonly value: unknown;
  readonly #document: Place['document'];
  readonly #parent: Field | undefined;
  readonly #key: string | number | readonly (string | number)[];
  readonly findings: Findings;

  constructor(
    value: unknown,
    at: { document: Place['document']; parent?: Field; key: string | number | readonly (string | number)[] },
    findings: Findings,
  ) {
    this.value = value;
    this.#document = at.document;
    this.#parent = at.parent;
    this.#key = at.key;
    this.findings = findings;
  }

  get place(): Place {
    const path = typeof this.#key === 'object' ? this.#key : [this.#key];
    if (this.#parent === undefined) return { document: this.#document, path };
    return below(this.#parent.place, ...path);
  }

  /** Kubernetes reads `null` as absent. */
  get absent(): boolean {
    return this.value === undefined || this.value === null;
  }

  at(key: string): Field {
    const inner = isObject(this.value as Json) && Object.hasOwn(this.value as object, key);
    return this.#child(inner ? (this.value as Record<string, unknown>)[key] : undefined, key);
  }

  wrong(detail: string, code: FindingCode = 'policy.malformed'): undefined {
    this.findings.error(code, this.place, detail);
    return undefined;
  }

  /** An object with no other than these fields. */
  only(...fields: readonly string[]): boolean {
    if (!this.object()) return false;
    let clean = true;
    for (const key of Object.keys(this.value as object)) {
      if (fields.includes(key)) continue;
      this.at(key).wrong(`There is no field '${key}' here; known are ${fields.join(', ')}.`, 'policy.field-unknown');
      clean = false;
    }
    return clean;
  }

  object(): boolean {
    if (isObject(this.value as Json)) return true;
    this.wrong(`${this.name} is ${typeName(this.value)} where an object is wanted.`);
    return false;
  }

  /** The items of a list; absent is an empty one. */
  items(): Field[] {
    if (this.absent) return [];
    if (!Array.isArray(this.value)) {
      this.wrong(`${this.name} is ${typeName(this.value)} where a list is wanted.`);
      return [];
    }
    return this.value.map((item, i) => this.#child(item, i));
  }

  text(): string | undefined {
    if (typeof this.value === 'string') return this.value;
    const hint = typeof this.value === 'boolean' || typeof this.value === 'number' ? ' Put it in quotes.' : '';
    return this.wrong(`${this.name} is ${typeName(this.value)} where text is wanted.${hint}`);
  }

  integer(from: number, to: number, code: FindingCode = 'policy.malformed'): number | undefined {
    const { value } = this;
    if (typeof value === 'number' && Number.isInteger(value) && value >= from && value <= to) return value;
    const found = typeof value === 'number' ? `${value}` : typeName(value);
    return this.wrong(`${this.name} is ${found} where a whole number from ${from} to ${to} is wanted.`, code);
  }

  choice<T extends string>(values: readonly T[]): T | undefined {
    if ((values as readonly unknown[]).includes(this.value)) return this.value as T;
    const found = typeof this.value === 'string' ? `'${this.value}'` : typeName(this.value);
    return this.wrong(`${this.name} is ${found}; known are ${values.join(', ')}.`);
  }

  get name(): string {
    return String(typeof this.#key === 'object' ? (this.#key.at(-1) ?? 'the document') : this.#key);
  }

  #child(value: unknown, key: string | number): Field {
    return new Field(value, { document: this.#document, parent: this, key }, this.findings);
  }
}

function typeName(value: unknown): string {
  if (value === null || value === undefined) return 'absent';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'an object';
  if (typeof value === 'string') return 'text';
  return `${typeof value} (${String(value)})`;
}

export function labelsOf(field: Field): Labels {
  if (field.absent) return {};
  if (!field.object()) return {};
  const entries = Object.entries(field.value as Record<string, unknown>);
  for (const [key, value] of entries) if (typeof value !== 'string') field.at(key).text();
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
}

/** Absent and empty select everything; undefined where it is not valid. */
export function selectorIn(field: Field): Selector | undefined {
  if (field.absent) return EVERYTHING;
  const requirements = requirementsIn(field);
  return requirements === undefined ? undefined : selectorOf(requirements);
}

/** `keyOf` takes what stands in front of a label key off, where an API has such prefixes. */
export function requirementsIn(field: Field, keyOf = (key: string): string => key): Requirement[] | undefined {
  if (!field.only('matchLabels', 'matchExpressions')) return undefined;
  const requirements: Requirement[] = [];
  const labels = field.at('matchLabels');
  if (!labels.absent) {
    if (!labels.object()) return undefined;
    for (const [label, value] of Object.entries(labels.value as Record<string, unknown>)) {
      if (typeof value !== 'string') return labels.at(label).text() as undefined;
      if (!isLabelKey(keyOf(label))) {
        return labels.at(label).wrong(`'${label}' is no label key.`, 'policy.selector-invalid');
      }
      if (!isLabelValue(value)) {
        return labels.at(label).wrong(`'${value}' is no label value.`, 'policy.selector-invalid');
      }
      requirements.push({ label, operator: 'In', values: [value] });
    }
  }
  for (const item of field.at('matchExpressions').items()) {
    if (!item.only('key', 'operator', 'values')) return undefined;
    const label = item.at('key').text();
    const operator = item.at('operator').value;
    if (label === undefined) return undefined;
    if (!isLabelKey(keyOf(label))) {
      return item.at('key').wrong(`'${label}' is no label key.`, 'policy.selector-invalid');
    }
    if (operator !== 'In' && operator !== 'NotIn' && operator !== 'Exists' && operator !== 'DoesNotExist') {
      return item
        .at('operator')
        .wrong(
          `The operator is '${String(operator)}'; known are In, NotIn, Exists, DoesNotExist.`,
          'policy.selector-invalid',
        );
    }
    const values = item
      .at('values')
      .items()
      .map((value) => value.text());
    if (values.includes(undefined)) return undefined;
    const wantsValues = operator === 'In' || operator === 'NotIn';
    if (wantsValues !== values.length > 0) {
      return item.wrong(
        `'${operator}' ${wantsValues ? 'needs at least one value' : 'takes no values'}.`,
        'policy.selector-invalid',
      );
    }
    requirements.push({ label, operator, values: values as string[] });
  }
  return requirements;
}

function isLabelKey(key: string): boolean {
  const [name, prefix] = key.split('/').reverse();
  return (
    key.split('/').length <= 2 &&
    /^[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/.test(name ?? '') &&
    (prefix === undefined || (prefix.length <= 253 && /^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$/.test(prefix)))
  );
}

function isLabelValue(value: string): boolean {
  return value === '' || /^[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/.test(value);
}

export function blockIn(field: Field): AddressRange | undefined {
  const text = field.text();
  if (text === undefined) return undefined;
  const block = parseBlock(text);
  if (block === undefined) return notABlock(field, text);
  if (!block.canonical) {
    field.findings.warning('policy.cidr-not-canonical', field.place, `'${text}' is read with these bits cleared.`);
  }
  return { family: block.family, from: block.from, to: block.to };
}

/** A block, or one address, which some APIs take for a block of its own. */
export function blockOrAddressIn(field: Field): AddressRange | undefined {
  const address = typeof field.value === 'string' ? parseAddress(field.value) : undefined;
  if (address === undefined) return blockIn(field);
  return { family: address.family, from: address.value, to: address.value };
}

function notABlock(field: Field, text: string): undefined {
  return field.wrong(`'${text}' is no block of addresses in CIDR notation.`, 'policy.cidr-invalid');
}

export function protocolIn(field: Field): Protocol | undefined {
  return field.absent ? 'TCP' : field.choice(PROTOCOLS);
}

export function portNumberIn(field: Field): number | undefined {
  return field.integer(FIRST_PORT, LAST_PORT, 'policy.port-invalid');
}

/** IANA_SVC_NAME (RFC 6335 section 5.1), as Kubernetes checks names of ports. */
export function portNameIn(field: Field): string | undefined {
  const name = field.text();
  if (name === undefined) return undefined;
  if (/^(?=.*[a-z])[a-z0-9](?:[a-z0-9-]{0,13}[a-z0-9])?$/.test(name) && !name.includes('--')) return name;
  return field.wrong(
    `'${name}' is no port name: at most 15 of a-z, 0-9 and '-', with a letter.`,
    'policy.port-invalid',
  );
}
