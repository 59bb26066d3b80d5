import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import type { Implementation } from '#kernel';
import { homePath, openHome, writeDurably } from '#system';
import { keyNames, effectiveRoot, passphrasesOf, roleSigners } from '#trust';
import { gateFault } from '../faults.ts';
import type { ReleaseApproveInput, ReleaseApproveOutput } from '../operations.ts';
import { readReleasePolicy } from '../outward/release-policy.ts';
import { addSignatures, judgeSignatures, readDraft, readSignatures, signaturesPath } from '../outward/signatures.ts';

export const releaseApproveVerb: Implementation<ReleaseApproveInput, ReleaseApproveOutput> = {
  async run(input, world) {
    const { files, cwd, clock } = world;
    const home = await openHome(files, homePath(world, input.home === undefined ? {} : { home: input.home }));
    const policy = await readReleasePolicy(files, home.path);
    const effective = await effectiveRoot(
      files,
      home.path,
      input.root === undefined ? undefined : resolve(cwd, input.root),
    );
    const draft = resolve(cwd, input.draft);
    const { bytes } = await readDraft(files, draft);
    const paths = keyNames(cwd, input.key);
    if (paths.length === 0) throw gateFault('gate.no-key', { where: '--key' });
    const passphrases = passphrasesOf(world, input.passphraseFile);
    const signers = await roleSigners(files, effective.root, 'approver', paths, passphrases);
    const envelope = addSignatures(await readSignatures(files, draft), bytes, signers);
    await writeDurably(files, signaturesPath(draft), envelope, { mode: 0o600 });
    return {
      draft,
      sha256: createHash('sha256').update(bytes).digest('hex'),
      text: Buffer.from(bytes).toString('latin1'),
      approvers: [...judgeSignatures(effective, envelope, policy.approvers, clock.now()).holders],
      needed: Math.max(policy.approvers, effective.root.thresholds.get('approver') ?? 1),
    };
  },

  exit: () => 0,

  show({ draft, text, sha256, approvers, needed }, style) {
    return [
      text.trimEnd(),
      '',
      `${style.good('signed')} ${draft}, sha256 ${sha256}`,
      `  ${approvers.length} of ${needed} have read it: ${approvers.join(', ')}`,
    ].join('\n');
  },
};
