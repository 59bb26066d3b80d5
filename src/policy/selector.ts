/** A label selector in one canonical form; no requirement at all selects everything. */
export interface Selector {
  readonly requirements: readonly Requirement[];
  /** Equal selectors have equal keys. */
  readonly key: string;
}

/** Those of Kubernetes, and those that only selectors of Calico have, each with its negation. */
export type Operator = 'In' | 'NotIn' | 'Exists' | 'DoesNotExist' | TextOperator | `Not${TextOperator}`;
type TextOperator = 'Contains' | 'StartsWith' | 'EndsWith';

export interface Requirement {
  readonly label: string;
  readonly operator: Operator;
  readonly values: readonly string[];
}

export type Labels = Readonly<Record<string, string>>;

/** `no`, `maybe` (it depends on what is not in the manifests) or `yes`. */
export const NO = 0;
export const MAYBE = 1;
export const YES = 2;
export type Match = typeof NO | typeof MAYBE | typeof YES;

export function selectorOf(requirements: readonly Requirement[]): Selector {
  const canonical = requirements
    .map(({ label, operator, values }) => ({ label, operator, values: [...new Set(values)].sort() }))
    .map((requirement) => ({ requirement, key: JSON.stringify(Object.values(requirement)) }))
    .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  return { requirements: canonical.map(({ requirement }) => requirement), key: canonical.map(({ key }) => key).join() };
}

export const EVERYTHING: Selector = selectorOf([]);

/** Whether one requirement holds: `NotIn` and `DoesNotExist` hold where the label is absent (apimachinery labels.Requirement). */
export function holds({ label, operator, values }: Requirement, labels: Labels): boolean {
  const value = Object.hasOwn(labels, label) ? labels[label] : undefined;
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Contains':
      return value !== undefined && values.every((part) => value.includes(part));
    case 'NotContains':
      return value === undefined || !values.every((part) => value.includes(part));
    case 'StartsWith':
      return value !== undefined && values.every((part) => value.startsWith(part));
    case 'NotStartsWith':
      return value === undefined || !values.every((part) => value.startsWith(part));
    case 'EndsWith':
      return value !== undefined && values.every((part) => value.endsWith(part));
    case 'NotEndsWith':
      return value === undefined || !values.every((part) => value.endsWith(part));
  }
}

/** `known`: labels that are certain, the others may have any value. Undefined: all labels are known. */
export function selects({ requirements }: Selector, labels: Labels, known?: ReadonlySet<string>): Match {
  let match: Match = YES;
  for (const requirement of requirements) {
    if (known !== undefined && !known.has(requirement.label)) match = MAYBE;
    else if (!holds(requirement, labels)) return NO;
  }
  return match;
}
