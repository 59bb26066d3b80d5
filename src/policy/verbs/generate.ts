import { basename, join, resolve } from 'node:path';
import type { z } from 'zod';
import { errorCode, type Implementation, instantOf, printable, type Style, type World } from '#kernel';
import { makeFolderDurably, writeDurably } from '#system';
import { policyFault } from '../faults.ts';
import { type FlowSet, readFlowSet } from '../flow-set.ts';
import { generate, type Generated, isMarked } from '../generate/generate.ts';
import { RENDERINGS } from '../generate/renderings.ts';
import { manifestsOf } from '../io/manifests.ts';
import type { generateInput, generateOutput } from '../operations.ts';
import { readCluster } from '../read-cluster.ts';
import { showFindings } from './show-findings.ts';

type Output = z.infer<typeof generateOutput>;

const LIMIT = 16 * 1024 * 1024;
const VERDICTS = ['proved', 'depends', 'refuted', 'unknown'] as const;

export const generateVerb: Implementation<z.infer<typeof generateInput>, Output> = {
  async run({ folder = '.', flows, dialects = ['kubernetes'], out, set = [], at, root, home }, world) {
    const declared = await flowSetAt(world, flows, valuesOf(set));
    const files = await manifestsOf(folder, { root, home }, world);
    // What an earlier run made is no part of the cluster that it was made for.
    const manifests = files.filter(({ bytes }) => !isMarked(bytes));
    const { cluster, findings } = readCluster(manifests, { profile: 'specification' });
    const empty = { flows: declared.flows.length, expired: [], renderings: [], others: 0 };
    if (findings.errors.length > 0) return { verdict: 'unknown', ...empty, errors: [...findings.errors] };
    const chosen = RENDERINGS.filter((one) => dialects.includes('all') || dialects.includes(one));
    const today = at ?? instantOf(world.clock.now()).slice(0, 10);
    const { generated, expired } = generate(declared, cluster, chosen, today);
    const verdict = VERDICTS.findLast((one) => generated.some(({ proof }) => proof.verdict === one))!;
    // What is not proved is not written.
    const sound = verdict === 'proved' || verdict === 'depends';
    if (out !== undefined && sound) await write(world, resolve(world.cwd, out), generated);
    return {
      verdict,
      flows: declared.flows.length,
      expired: [...expired],
      renderings: generated.map(({ dialect, policies, files: made, proof }) => ({
        dialect,
        verdict: proof.verdict,
        policies,
        files: [...made.keys()],
        asked: proof.asked,
        different: proof.count,
        differences: proof.differences.map((one) => ({ ...one, why: [...one.why] })),
        errors: [...proof.errors],
      })),
      others: cluster.policies.length,
      errors: [],
      ...(out === undefined || !sound ? {} : { folder: out }),
    };
  },
  exit: ({ verdict }) => (verdict === 'proved' || verdict === 'depends' ? 0 : 1),
  show(result, style) {
    if (result.renderings.length === 0) return showFindings(result.errors, style);
    const { expired, others, folder, flows } = result;
    const lines = result.renderings.flatMap((one) => renderingLines(one, style));
    if (expired.length > 0)
      lines.push(style.warn(`left out, for they have expired: ${expired.map(printable).join(', ')}`));
    if (others > 0)
      lines.push(
        style.warn(
          `${others} policies among the manifests are not counted; applied beside these, they may open or close more`,
        ),
      );
    lines.push(
      folder === undefined ? `${flows} flows; nothing is written` : `${flows} flows, written to ${printable(folder)}`,
    );
    return lines.join('\n');
  },
};

const SHOWN = 12;

function renderingLines(one: Output['renderings'][number], style: Style): string[] {
  const { dialect, verdict, policies, asked, different, differences, errors } = one;
  const word =
    verdict === 'proved' ? style.good(verdict) : verdict === 'depends' ? style.warn(verdict) : style.bad(verdict);
  const says = {
    proved: 'they admit exactly the declared flows',
    depends: 'what is certain is as declared',
    refuted: 'they do not admit what is declared; this is a defect, and nothing is written',
    unknown: 'they do not read back; this is a defect, and nothing is written',
  }[verdict];
  const lines = [`${dialect}: ${word}: ${policies} policies, ${asked} answers compared: ${says}`];
  if (errors.length > 0) lines.push(showFindings(errors, style));
  // Differences of one cause are told once, with the first of each.
  const groups = Map.groupBy(differences, ({ is, why }) => `${is}\n${why.join('\n')}`);
  for (const group of groups.values()) {
    const { is, why } = group[0]!;
    lines.push(
      `  ${is === 'depends' ? style.warn('depends on the CNI') : style.bad(is)}${why.length === 0 ? '' : `: ${why.join('; ')}`}`,
    );
    for (const { direction, workload, peer, declared, possible, certain } of group.slice(0, SHOWN)) {
      const pair = direction === 'egress' ? `${workload} => ${peer}` : `${peer} => ${workload}`;
      lines.push(
        `    ${direction} ${printable(pair)} : declared ${declared}, perhaps ${possible}, certainly ${certain}`,
      );
    }
    if (group.length > SHOWN) lines.push(`    and ${group.length - SHOWN} more of the first ${differences.length}`);
  }
  if (different > differences.length) lines.push(`  ${different} in all`);
  return lines;
}

/** Reads a file of flows. */
export async function flowSetAt(world: World, file: string, values: ReadonlyMap<string, string>): Promise<FlowSet> {
  try {
    return readFlowSet(basename(file), await world.files.read(resolve(world.cwd, file), LIMIT), values);
  } catch (error) {
    if (errorCode(error) === 'ENOENT')
      throw policyFault('policy.flows-invalid', { where: file, detail: 'There is no such file.' });
    if (errorCode(error) === 'EFBIG')
      throw policyFault('policy.flows-invalid', { where: file, detail: 'It is larger than 16 MiB.' });
    throw error;
  }
}

/** Values for parameters, as `--set` has them. */
export function valuesOf(set: readonly string[]): Map<string, string> {
  const values = new Map<string, string>();
  for (const text of set) {
    const equals = text.indexOf('=');
    if (equals < 1 || values.has(text.slice(0, equals))) {
      throw policyFault('policy.flows-invalid', {
        where: `--set ${text}`,
        detail: 'Write NAME=VALUE, each name once.',
      });
    }
    values.set(text.slice(0, equals), text.slice(equals + 1));
  }
  return values;
}

/** Replaces what an earlier run made; a policy that was made then and is not now would go on opening its door. */
async function write(world: World, folder: string, generated: readonly Generated[]): Promise<void> {
  const { files } = world;
  const stale: string[] = [];
  for (const { dialect, files: made } of generated) {
    const below = join(folder, dialect);
    if ((await files.look(below)) === undefined) continue;
    for (const { name, kind } of await files.list(below)) {
      const path = join(below, name);
      const own = kind === 'file' && isMarked(await files.read(path, LIMIT * 8));
      if (!own) throw policyFault('policy.output-foreign', { where: path });
      if (!made.has(`${dialect}/${name}`)) stale.push(path);
    }
  }
  for (const { dialect, files: made } of generated) {
    await makeFolderDurably(files, join(folder, dialect));
    for (const [path, text] of made) await writeDurably(files, join(folder, path), text);
  }
  for (const path of stale) await files.remove(path);
  for (const { dialect } of generated) await files.syncFolder(join(folder, dialect));
}
