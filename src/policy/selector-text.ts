import { NAMESPACE_NAME_LABEL } from './model.ts';
import { type Requirement, type Selector, selectorOf } from './selector.ts';

/** As `kubectl` takes selectors, where it has the operator: `app=web,tier in (a,b),!old`; '' selects everything. */
export function selectorText({ requirements }: Selector): string {
  return requirements.map(requirementText).join(',');
}

function requirementText({ label, operator, values }: Requirement): string {
  switch (operator) {
    case 'In':
      return values.length === 1 ? `${label}=${values[0]}` : `${label} in (${values.join(',')})`;
    case 'NotIn':
      return values.length === 1 ? `${label}!=${values[0]}` : `${label} notin (${values.join(',')})`;
    case 'Exists':
      return label;
    case 'DoesNotExist':
      return `!${label}`;
    default:
      // Selectors of Calico: `label contains 'text'`.
      return `${label} ${operator} (${values.join(',')})`;
  }
}

/** The one namespace that a selector of namespaces can mean, where it asks for its name and for nothing else. */
export function namespaceIn({ requirements }: Selector): string | undefined {
  const [only, ...others] = requirements;
  if (only === undefined || others.length > 0 || only.label !== NAMESPACE_NAME_LABEL) return undefined;
  return only.operator === 'In' && only.values.length === 1 ? only.values[0] : undefined;
}

/** A selector as kubectl takes it; undefined where it is none. */
export function parseSelector(text: string): Selector | undefined {
  const requirements: Requirement[] = [];
  // Commas within parentheses separate values.
  for (const word of text.trim() === '' ? [] : text.split(/,(?![^(]*\))/)) {
    const match =
      /^\s*(?<not>!)?\s*(?<label>[A-Za-z0-9][A-Za-z0-9_./-]*)\s*(?:(?<operator>==?|!=)\s*(?<value>[A-Za-z0-9_.-]*)|\s(?<set>in|notin)\s*\((?<values>[^()]*)\))?\s*$/.exec(
        word,
      )?.groups;
    if (match === undefined) return undefined;
    const { not, label, operator, value, set, values } = match;
    if (not !== undefined) {
      if (operator !== undefined || set !== undefined) return undefined;
      requirements.push({ label: label!, operator: 'DoesNotExist', values: [] });
    } else if (set !== undefined) {
      const list = values!.split(',').map((one) => one.trim());
      if (list.some((one) => !/^[A-Za-z0-9_.-]*$/.test(one))) return undefined;
      requirements.push({ label: label!, operator: set === 'in' ? 'In' : 'NotIn', values: list });
    } else if (operator !== undefined) {
      requirements.push({ label: label!, operator: operator === '!=' ? 'NotIn' : 'In', values: [value!] });
    } else requirements.push({ label: label!, operator: 'Exists', values: [] });
  }
  return selectorOf(requirements);
}
