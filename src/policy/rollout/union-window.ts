import { isObject } from '#kernel';
import { decodeDocument } from '../document.ts';
import type { Policy } from '../model.ts';
import { readCluster } from '../read-cluster.ts';

/** An object that stands only while a rollout is under way. */
export interface WindowObject {
  /** `union`: the object itself with the rules of both. `copy`: the later object under a name of its own. */
  readonly how: 'union' | 'copy';
  readonly manifest: Readonly<Record<string, unknown>>;
  /** The manifest as the analysis reads it. */
  readonly policy: Policy;
}

/**
 * What can stand between two versions of a NetworkPolicy so that neither's permissions are missing: with one subject the
 * rules of both, with another subject a copy of the later one beside the earlier. Undefined: there is none.
 */
export function windowOf(before: Policy, after: Policy, taken: ReadonlySet<string>): WindowObject | undefined {
  if (before.kind !== 'NetworkPolicy' || after.kind !== 'NetworkPolicy') return undefined;
  const [old, now] = [objectOf(before), objectOf(after)];
  if (old === undefined || now === undefined) return undefined;
  const same = JSON.stringify(before.subject) === JSON.stringify(after.subject);
  return same ? unionOf(before, after, old, now) : copyOf(after, now, taken);
}

function unionOf(before: Policy, after: Policy, old: Raw, now: Raw): WindowObject | undefined {
  // A direction that one of the two leaves open stays open.
  const covered = (['ingress', 'egress'] as const).filter(
    (direction) => before[direction] !== undefined && after[direction] !== undefined,
  );
  // Without any direction Kubernetes would take Ingress (NP-03).
  if (covered.length === 0) return undefined;
  const spec: Record<string, unknown> = {
    podSelector: now.spec['podSelector'] ?? {},
    policyTypes: covered.map((direction) => (direction === 'ingress' ? 'Ingress' : 'Egress')),
  };
  for (const direction of covered) {
    const rules = [...listOf(old.spec[direction]), ...listOf(now.spec[direction])];
    const texts = rules.map((rule) => JSON.stringify(rule));
    spec[direction] = rules.filter((_, i) => texts.indexOf(texts[i]!) === i);
  }
  return made('union', after, now, after.name, spec);
}

function copyOf(after: Policy, now: Raw, taken: ReadonlySet<string>): WindowObject | undefined {
  let name = `${after.name.slice(0, 240)}-rollout`;
  for (let i = 2; taken.has(`${after.namespace}/${name}`); i++) name = `${after.name.slice(0, 240)}-rollout-${i}`;
  return made('copy', after, now, name, now.spec);
}

function made(
  how: WindowObject['how'],
  { namespace }: Policy,
  { labels }: Raw,
  name: string,
  spec: unknown,
): WindowObject | undefined {
  const manifest = {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name, namespace, ...(isObject(labels) ? { labels } : {}) },
    spec,
  };
  const bytes = new TextEncoder().encode(JSON.stringify(manifest));
  // What is analysed is what would be applied.
  const { cluster, findings } = readCluster([{ name: `${name}.json`, bytes }]);
  const policy = cluster.policies[0];
  if (findings.errors.length > 0 || policy === undefined) return undefined;
  return { how, manifest, policy };
}

interface Raw {
  readonly spec: Readonly<Record<string, unknown>>;
  readonly labels: unknown;
}

/** The object as it is written. */
function objectOf({ place }: Policy): Raw | undefined {
  const decoded = decodeDocument(place.document);
  if (!decoded.ok) return undefined;
  let value: unknown = decoded.value;
  for (const key of place.path) value = isObject(value) || Array.isArray(value) ? value[key as never] : undefined;
  if (!isObject(value) || value['kind'] !== 'NetworkPolicy') return undefined;
  const { spec, metadata } = value;
  return { spec: isObject(spec) ? spec : {}, labels: isObject(metadata) ? metadata['labels'] : undefined };
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}
