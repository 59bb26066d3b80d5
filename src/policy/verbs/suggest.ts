import { basename, resolve } from 'node:path';
import type { z } from 'zod';
import { errorCode, type Implementation, instantOf, printable, type World } from '#kernel';
import { readIfThere, writeDurably } from '#system';
import { policyFault } from '../faults.ts';
import { readFlowSet } from '../flow-set.ts';
import { isMarked } from '../generate/generate.ts';
import { resolveFlows } from '../generate/resolve.ts';
import { manifestsOf } from '../io/manifests.ts';
import type { suggestInput, suggestOutput } from '../operations.ts';
import { readCluster } from '../read-cluster.ts';
import { withAccepted } from '../suggest/accept.ts';
import { sightingsInCompose } from '../suggest/from-compose.ts';
import { sightingsInLog } from '../suggest/from-log.ts';
import { controllerOf, sightingsInManifests } from '../suggest/from-manifests.ts';
import { type Proposal, proposalsOf } from '../suggest/proposal.ts';
import { valuesOf } from './generate.ts';
import { showFindings } from './show-findings.ts';

type Output = z.infer<typeof suggestOutput>;

const LIMIT = 16 * 1024 * 1024;
const LOG_LIMIT = 256 * 1024 * 1024;

export const suggestVerb: Implementation<z.infer<typeof suggestInput>, Output> = {
  async run(input, world) {
    const {
      folder = '.',
      flows,
      compose = [],
      logs = [],
      controller,
      namespace,
      accept = [],
      by,
      owner,
      reason,
    } = input;
    const files = (await manifestsOf(folder, input, world)).filter(({ bytes }) => !isMarked(bytes));
    const { cluster, findings } = readCluster(files, { profile: 'specification' });
    if (findings.errors.length > 0) {
      return { verdict: 'unknown', proposals: [], unclear: [], accepted: [], errors: [...findings.errors] };
    }
    const path = flows === undefined ? undefined : resolve(world.cwd, flows);
    const before = path === undefined ? undefined : await readIfThere(world.files, path, LIMIT);
    const declared =
      before === undefined || flows === undefined
        ? []
        : resolveFlows(readFlowSet(basename(flows), before, valuesOf(input.set ?? [])), cluster);
    const found = [
      sightingsInManifests(files, cluster, controllerOf(cluster, controller)),
      ...(await Promise.all(
        compose.map(async (file) => sightingsInCompose(file, await evidence(world, file, LIMIT), cluster, namespace)),
      )),
      ...(await Promise.all(
        logs.map(async (file) => sightingsInLog(file, await evidence(world, file, LOG_LIMIT), cluster)),
      )),
    ];
    const proposals = proposalsOf(
      found.flatMap(({ sightings }) => sightings),
      declared,
    );
    const unclear = found.flatMap((one) => one.unclear);
    const accepted = chosen(proposals, accept);
    if (accepted.length > 0) {
      if (flows === undefined || path === undefined || by === undefined || owner === undefined) {
        throw policyFault('policy.accept-incomplete', {
          detail: `Missing: ${[flows === undefined ? '--flows' : '', by === undefined ? '--by' : '', owner === undefined ? '--owner' : ''].filter((one) => one !== '').join(', ')}.`,
        });
      }
      const day = instantOf(world.clock.now()).slice(0, 10);
      const text = before === undefined ? undefined : new TextDecoder().decode(before);
      const after = withAccepted(text, accepted, { by, owner, reason, day });
      // What is written is read back before it takes the place of what was there.
      readFlowSet(basename(flows), new TextEncoder().encode(after), valuesOf(input.set ?? []));
      await writeDurably(world.files, path, after);
    }
    return {
      verdict: 'answered',
      proposals: proposals.map((one) => ({ ...one, evidence: [...one.evidence] })),
      unclear,
      accepted: accepted.map(({ id }) => id),
      errors: [],
    };
  },
  exit: ({ verdict }) => (verdict === 'answered' ? 0 : 1),
  show({ verdict, proposals, unclear, accepted, errors }, style) {
    if (verdict === 'unknown') return showFindings(errors, style);
    const taken = new Set(accepted);
    const lines = proposals.flatMap(({ id, from, to, port, evidence: why, seen, denied }) => [
      `${taken.has(id) ? style.good('accepted') : 'proposed'} ${style.bold(printable(id))}: ${printable(from)} => ${printable(to)} ${port}${denied > 0 ? style.warn(` (${denied} of ${seen} stopped)`) : ''}`,
      ...why.map(
        ({ source, where, detail }) => `    ${style.dim(`${source}, ${printable(where)}: ${printable(detail)}`)}`,
      ),
      ...(seen > why.length ? [style.dim(`    and ${seen - why.length} more`)] : []),
    ]);
    const open = unclear.map(
      ({ where, detail, why }) =>
        `${style.warn('unclear')} ${printable(where)}: ${printable(detail)}\n    ${printable(why)}`,
    );
    const left = proposals.length - accepted.length;
    const end = `${proposals.length} proposals, ${accepted.length} accepted${left > 0 ? `; ${left} count for nothing until they are accepted` : ''}`;
    return [...lines, ...open, end].join('\n');
  },
};

function chosen(proposals: readonly Proposal[], accept: readonly string[]): Proposal[] {
  // What was always stopped may be an attack: somebody has to name it.
  const all = accept.includes('all') ? proposals.filter(({ seen, denied }) => denied < seen) : [];
  const named = accept
    .filter((id) => id !== 'all')
    .map((id) => {
      const found = proposals.find((one) => one.id === id);
      if (found === undefined) throw policyFault('policy.proposal-unknown', { where: id });
      return found;
    });
  return [...new Set([...all, ...named])];
}

async function evidence(world: World, file: string, limit: number): Promise<Uint8Array> {
  try {
    return await world.files.read(resolve(world.cwd, file), limit);
  } catch (error) {
    if (errorCode(error) === 'ENOENT')
      throw policyFault('policy.evidence-unreadable', { where: file, detail: 'There is no such file.' });
    if (errorCode(error) === 'EFBIG')
      throw policyFault('policy.evidence-unreadable', {
        where: file,
        detail: `It is larger than ${limit / 1024 / 1024} MiB.`,
      });
    throw error;
  }
}
