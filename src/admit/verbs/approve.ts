import { resolve } from 'node:path';
import { judgeSeal, openMedium, readBundle, summaryOf } from '#bundle';
import type { BundleHead } from '#bundle';
import type { Implementation, World } from '#kernel';
import { homePath, openHome } from '#system';
import {
  keyNames,
  effectiveRoot,
  passphrasesOf,
  readRoots,
  roleSigners,
  signaturesMade,
  type SignatureMade,
} from '#trust';
import { signApproval } from '../approval.ts';
import { admitFault } from '../faults.ts';
import { type HeldBundle, heldBundles, keepApproval } from '../held.ts';
import { namedBundle } from '../named-bundle.ts';
import type { ApproveInput, ApproveOutput } from '../operations.ts';
import { admission, admit, admitBundle } from './admit.ts';

export const approveVerb: Implementation<ApproveInput, ApproveOutput> = {
  async run(input, world) {
    const { files, cwd } = world;
    const home = await openHome(files, homePath(world, input.home === undefined ? {} : { home: input.home }));
    const waiting = async (): Promise<ApproveOutput['waiting']> => {
      const heads = [];
      for (const { path } of await heldBundles(files, home)) {
        const head = await headOf(world, path);
        if (head !== undefined) heads.push(summaryOf(head.seal));
      }
      return heads;
    };
    if (input.bundle === undefined) return { verdict: 'listed', reasons: [], waiting: await waiting() };

    const held = chosen(await heldBundles(files, home), input.bundle, home.path);
    const root = input.root === undefined ? undefined : resolve(cwd, input.root);
    const effective = await effectiveRoot(files, home.path, root);
    const head = await headOf(world, held.path);
    const paths = keyNames(cwd, input.key);
    let signed: readonly SignatureMade[] = [];
    if (head !== undefined && paths.length > 0) {
      // As it is judged when it comes in: by the newest root, which the bundle may bring.
      const { root: newest } = judgeSeal(effective, head, world.clock.now());
      const signers = await roleSigners(files, newest, 'approver', paths, passphrasesOf(world, input.passphraseFile));
      signed = signaturesMade(signers);
      const site = (await readRoots(files, home.path)).at(-1)?.root.site ?? '';
      // One envelope a person: they come on different days, and one that is wrong must not spoil the others.
      for (const holder of new Set(signers.map((signer) => signer.holder))) {
        const own = signers.filter((signer) => signer.holder === holder);
        const envelope = signApproval(admission(site, head), own);
        const keyids = own.map(({ keyid }) => keyid);
        await keepApproval(files, home, held.index, keyids, envelope);
      }
    }
    const output = await admitBundle(
      { bundle: held.path, home: home.path, ...(root === undefined ? {} : { root }) },
      world,
      true,
      signed,
    );
    return { ...output, waiting: await waiting() };
  },

  exit: ({ verdict }) => (verdict === 'admitted' || verdict === 'already-here' || verdict === 'listed' ? 0 : 1),

  show(output, style) {
    const lines: string[] = [];
    const { ledger, figures } = output;
    if (output.verdict !== 'listed' && ledger !== undefined && figures !== undefined) {
      lines.push(admit.show({ ...output, verdict: output.verdict, ledger, figures }, style));
    }
    lines.push(output.waiting.length === 0 ? 'Nothing waits in quarantine.' : 'Waiting in quarantine:');
    for (const { index, project, channel, sequence, sealed } of output.waiting) {
      lines.push(`  ${index}  ${project}, channel ${channel}, sequence ${sequence}, sealed ${sealed}`);
    }
    return lines.join('\n');
  },
};

/** What a bundle in quarantine says of itself; it is judged again, whole, when it comes in. */
async function headOf(world: World, path: string): Promise<BundleHead | undefined> {
  const medium = await openMedium(world, path);
  try {
    return (await readBundle(medium, {}, { until: 'head' })).head;
  } finally {
    await medium.close();
  }
}

function chosen(held: readonly HeldBundle[], name: string, where: string): HeldBundle {
  const found = namedBundle(held, name, ({ index }) => index);
  if ('one' in found) return found.one;
  const detail = found.count > 1 ? `${found.count} begin with it.` : `${held.length} are held.`;
  throw admitFault('admit.not-held', { where, detail });
}
