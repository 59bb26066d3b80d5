import { resolve } from 'node:path';
import { ENVELOPE_SIGNATURES_LIMIT, pae } from '#formats';
import type { Implementation } from '#kernel';
import { writeDurably } from '#system';
import { encodeDraft, mergeSignatures, signingKeys } from '../draft.ts';
import { trustFault } from '../faults.ts';
import { readDraft } from '../io/drafts.ts';
import { cryptoProfile } from '../io/crypto-profiles.ts';
import { isKeyReference, passphrasesOf, signingKey } from '../io/keys.ts';
import type { SignInput, SignOutput } from '../operations.ts';
import { ROOT_PAYLOAD_TYPE } from '../root.ts';
import { showSignatures, signaturesOf } from './signatures.ts';

export const signVerb: Implementation<SignInput, SignOutput> = {
  async run(input, world) {
    const { files, cwd } = world;
    const [first, ...copies] = input.draft.map((name) => resolve(cwd, name));
    if (first === undefined) throw trustFault('trust.not-a-draft', { where: 'DRAFT' });
    let draft = await readDraft(files, first);
    const before = draft.signatures.length;
    for (const path of copies) {
      const copy = await readDraft(files, path);
      if (!Buffer.from(copy.payload).equals(draft.payload)) {
        const detail = `${first} has the fingerprint ${draft.root.fingerprint}, this one ${copy.root.fingerprint}.`;
        throw trustFault('trust.drafts-differ', { where: path, detail });
      }
      const known = signingKeys(draft);
      draft = mergeSignatures(
        draft,
        copy.signatures.filter(({ keyid }) => known.has(keyid)),
      );
    }
    const passphrases = passphrasesOf(world, input.passphraseFile);
    const message = pae(ROOT_PAYLOAD_TYPE, draft.payload);
    const wanted = signingKeys(draft);
    const added: string[] = [];
    const profile = await cryptoProfile(files);
    for (const name of input.key ?? []) {
      const path = isKeyReference(name) ? name : resolve(cwd, name);
      const key = await signingKey(files, path, passphrases, profile);
      if (!wanted.has(key.keyid))
        throw trustFault('trust.key-not-of-root', { where: path, detail: `Key ${key.keyid}.` });
      if (draft.signatures.some(({ keyid }) => keyid === key.keyid)) continue;
      draft = mergeSignatures(draft, [{ keyid: key.keyid, sig: key.sign(message) }]);
      added.push(key.keyid);
    }
    if (draft.signatures.length > ENVELOPE_SIGNATURES_LIMIT) {
      throw trustFault('trust.not-a-draft', {
        where: first,
        detail: `With ${draft.signatures.length} signatures nobody could read it.`,
        fix: `At most ${ENVELOPE_SIGNATURES_LIMIT} sign a root; sign with no more than the thresholds need.`,
      });
    }
    const changed = draft.signatures.length > before;
    if (changed) await writeDurably(files, first, encodeDraft(draft));
    const { root } = draft;
    return {
      root: { path: first, version: root.version, fingerprint: root.fingerprint },
      added,
      changed,
      signatures: signaturesOf(draft),
    };
  },

  exit: () => 0,

  show(output, style) {
    const { root, added, changed, signatures } = output;
    return [
      `${style.good(added.length > 0 ? 'signed' : changed ? 'brought together' : 'unchanged')} ${root.path}`,
      `  version ${root.version}, fingerprint ${root.fingerprint}`,
      ...showSignatures(signatures, style),
    ].join('\n');
  },
};
