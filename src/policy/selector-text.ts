import { NAMESPACE_NAME_LABEL } from './model.ts';
import type { Requirement, Selector } from './selector.ts';

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
