import { isObject } from '#kernel';

/** One change to manifests that a careless hand makes, by which some wall falls or some door shuts. */
export interface Mutant {
  readonly operator: MutationOperator;
  /** What was changed: `NetworkPolicy shop/web`. */
  readonly what: string;
  readonly documents: readonly unknown[];
}

export const mutationOperators = [
  'empty-peers',
  'and-to-or',
  'or-to-and',
  'drop-egress',
  'drop-ingress',
  'delete-policy',
  'relabel-pod',
  'widen-cidr',
  'widen-ports',
  'empty-selector',
] as const;
export type MutationOperator = (typeof mutationOperators)[number];

type Document = Record<string, unknown>;

/** Every mutant of a set of documents, one change each, in their order. Lists are taken apart first. */
export function mutantsOf(documents: readonly unknown[]): Mutant[] {
  const flat = documents.flatMap((one) => (isObject(one) && Array.isArray(one['items']) ? one['items'] : [one]));
  const mutants: Mutant[] = [];
  for (const [index, document] of flat.entries()) {
    if (!isObject(document)) continue;
    const kind = String(document['kind'] ?? '');
    const what = `${kind} ${nameOf(document)}`;
    const put = (operator: MutationOperator, change: (copy: Document) => boolean): void => {
      const copy = structuredClone(document) as Document;
      if (!change(copy)) return;
      mutants.push({ operator, what, documents: [...flat.slice(0, index), copy, ...flat.slice(index + 1)] });
    };
    if (kind === 'NetworkPolicy' && String(document['apiVersion']).startsWith('networking.k8s.io/')) {
      mutants.push({ operator: 'delete-policy', what, documents: flat.filter((_, at) => at !== index) });
      const spec = record(document['spec']);
      for (const direction of ['ingress', 'egress'] as const) {
        const peers = direction === 'ingress' ? 'from' : 'to';
        for (const [at, rule] of list(spec[direction]).entries()) {
          const ruleOf = (copy: Document): Document => record(list(record(copy['spec'])[direction])[at]);
          if (list(record(rule)[peers]).length > 0) {
            put('empty-peers', (copy) => {
              ruleOf(copy)[peers] = [];
              return true;
            });
          }
          if (list(record(rule)['ports']).length > 0) {
            put('widen-ports', (copy) => {
              delete ruleOf(copy)['ports'];
              return true;
            });
          }
          const given = list(record(rule)[peers]);
          for (const [n, peer] of given.entries()) {
            const { namespaceSelector, podSelector, ipBlock } = record(peer);
            if (namespaceSelector !== undefined && podSelector !== undefined) {
              put('and-to-or', (copy) => {
                list(ruleOf(copy)[peers]).splice(n, 1, { namespaceSelector }, { podSelector });
                return true;
              });
            }
            const next = record(given[n + 1]);
            const [first, second] = [record(peer), next];
            if (n + 1 < given.length && ipBlock === undefined && second['ipBlock'] === undefined) {
              const merged = { ...first, ...second };
              if (Object.keys(merged).length === Object.keys(first).length + Object.keys(second).length) {
                put('or-to-and', (copy) => {
                  list(ruleOf(copy)[peers]).splice(n, 2, merged);
                  return true;
                });
              }
            }
            const cidr = record(ipBlock)['cidr'];
            const wider = typeof cidr === 'string' ? widened(cidr) : undefined;
            if (wider !== undefined) {
              put('widen-cidr', (copy) => {
                const block = record(record(list(ruleOf(copy)[peers])[n])['ipBlock']);
                block['cidr'] = wider;
                return true;
              });
            }
          }
        }
      }
      const types = list(spec['policyTypes']);
      for (const [direction, operator] of [
        ['Egress', 'drop-egress'],
        ['Ingress', 'drop-ingress'],
      ] as const) {
        if (!types.includes(direction) || types.length < 2) continue;
        put(operator, (copy) => {
          const own = record(copy['spec']);
          own['policyTypes'] = list(own['policyTypes']).filter((one) => one !== direction);
          delete own[direction.toLowerCase()];
          return true;
        });
      }
      if (Object.keys(record(spec['podSelector'])).length > 0) {
        put('empty-selector', (copy) => {
          record(copy['spec'])['podSelector'] = {};
          return true;
        });
      }
      continue;
    }
    const labels = labelsIn(document);
    for (const key of Object.keys(labels ?? {})) {
      put('relabel-pod', (copy) => {
        const own = labelsIn(copy);
        if (own === undefined) return false;
        own[key] = `${String(own[key])}-other`;
        return true;
      });
    }
  }
  return mutants;
}

/** Labels of the pods that a document makes; undefined where it makes none. */
function labelsIn(document: Document): Document | undefined {
  if (document['kind'] === 'Pod') return maybe(record(document['metadata'])['labels']);
  const spec = record(document['spec']);
  const job = record(spec['jobTemplate']);
  const template = record(job['spec'] === undefined ? spec['template'] : record(job['spec'])['template']);
  return maybe(record(template['metadata'])['labels']);
}

function maybe(value: unknown): Document | undefined {
  return isObject(value) ? (value as Document) : undefined;
}

/** Eight bits fewer, or the whole family. */
function widened(cidr: string): string | undefined {
  const [address = '', bits = ''] = cidr.split('/');
  const width = Number(bits);
  if (!/^\d{1,3}$/.test(bits) || width === 0) return undefined;
  const next = Math.max(0, width - 8);
  if (address.includes(':')) return next === 0 ? '::/0' : undefined;
  const parts = address.split('.').map(Number);
  if (parts.length !== 4 || parts.some((part) => !(part >= 0 && part <= 255))) return undefined;
  const number = parts.reduce((sum, part) => sum * 256 + part, 0);
  const base = next === 0 ? 0 : Math.floor(number / 2 ** (32 - next)) * 2 ** (32 - next);
  return `${[24, 16, 8, 0].map((shift) => Math.floor(base / 2 ** shift) % 256).join('.')}/${next}`;
}

function nameOf(document: Document): string {
  const { name, namespace } = record(document['metadata']);
  return `${typeof namespace === 'string' ? namespace : 'default'}/${typeof name === 'string' ? name : ''}`;
}

function record(value: unknown): Document {
  return isObject(value) ? (value as Document) : {};
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}
