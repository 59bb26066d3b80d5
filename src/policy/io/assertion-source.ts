import { basename, resolve } from 'node:path';
import type { World } from '#kernel';
import { type Assertion, readAssertions } from '../assertions/assertion.ts';
import { assertionsFor, connectionsIn } from '../assertions/neighbours.ts';
import { policyFault } from '../faults.ts';
import { resolveFlows } from '../generate/resolve.ts';
import { type Cluster, peerName } from '../model.ts';
import { flowSetAt } from '../verbs/generate.ts';

/** A file of assertions, or declared flows from which they are made; one of the two. */
export interface AssertionSource {
  readonly file: string | undefined;
  readonly flows: string | undefined;
}

const FILE_LIMIT = 64 * 1024 * 1024;

/** What has to be open and closed. Throws policy.assertions-from, policy.assertion-invalid, policy.flows-invalid. */
export async function givenAssertions(
  world: World,
  { file, flows }: AssertionSource,
  cluster: Cluster,
): Promise<Assertion[]> {
  if ((file === undefined) === (flows === undefined))
    throw policyFault('policy.assertions-from', { where: '--file, --flows' });
  if (file === undefined) {
    const declared = await flowSetAt(world, flows!, new Map());
    const workloads = [...new Set(cluster.pods.map(peerName))].sort();
    return assertionsFor(connectionsIn(resolveFlows(declared, cluster)), workloads);
  }
  const path = resolve(world.cwd, file);
  if ((await world.files.look(path)) === undefined) throw policyFault('policy.no-folder', { where: path });
  return readAssertions(basename(path), await world.files.read(path, FILE_LIMIT));
}

/** The file of assertions may lie among the manifests. */
export function isAssertions(bytes: Uint8Array): boolean {
  return /^\s*(?:#[^\n]*\n\s*)*(?:\{\s*)?"?sallyport-assertions"?\s*:/.test(
    Buffer.from(bytes.subarray(0, 4096)).toString('utf8'),
  );
}
