import { z } from 'zod';
import { type Clock, type Files, type Home, type LedgerAppender, operation } from '#kernel';

const shownRoot = z.object({ path: z.string(), version: z.number(), fingerprint: z.string() });

const progress = z.object({
  version: z.number(),
  threshold: z.number(),
  signed: z.array(z.string()),
  missing: z.array(z.string()),
  enough: z.boolean(),
});
/** Who of the root before and of the root itself signed it. */
const signatures = z.object({ previous: progress.optional(), own: progress, ready: z.boolean() });

export const showInput = z.object({ file: z.string().optional(), home: z.string().optional() });
export type ShowInput = z.infer<typeof showInput>;

export const showOutput = z.object({
  /** The file that was named; else the root that judges what arrives, if one is pinned; else the one of this side. */
  root: shownRoot,
  pinned: z.boolean(),
  /** The root that this side made itself, by which others know it. */
  own: shownRoot.optional(),
  custody: z.enum(['shared', 'one-person', 'rehearsal']),
  site: z.string(),
  expires: z.string(),
  expired: z.boolean(),
  holders: z.array(
    z.object({
      name: z.string(),
      roles: z.array(z.string()),
      keys: z.array(z.object({ keyid: z.string(), algorithm: z.string() })),
    }),
  ),
  thresholds: z.record(z.string(), z.number()),
  revoked: z.array(z.object({ keyid: z.string(), since: z.string(), reason: z.string() })),
  /** All versions that the side has of this root, oldest first; of a file that was named, it alone. */
  chain: z.array(shownRoot),
  /** Of a file that was named. */
  signatures: signatures.optional(),
  /** Of a side. */
  ledger: z.object({ origin: z.string(), vkey: z.string() }).optional(),
  /** Which algorithms and modules count here, and what this process does its operations by. */
  crypto: z.object({
    profile: z.string(),
    digest: z.string().optional(),
    sign: z.array(z.string()),
    verify: z.array(z.string()),
    hashes: z.array(z.string()),
    keyFiles: z.array(z.string()),
    modules: z.array(z.string()),
    module: z.object({ kind: z.string(), name: z.string(), validation: z.enum(['not validated', 'not known']) }),
  }),
});
export type ShowOutput = z.infer<typeof showOutput>;

export const pinInput = z.object({
  root: z.string(),
  fingerprint: z.string().optional(),
  home: z.string().optional(),
});
export type PinInput = z.infer<typeof pinInput>;

export const pinOutput = z.object({
  verdict: z.enum(['pinned', 'already-pinned', 'refused']),
  reasons: z.array(z.object({ code: z.string(), where: z.string(), detail: z.string() })),
  root: shownRoot,
  /** Of the root: every verdict says what the names in it are worth. */
  custody: z.enum(['shared', 'one-person', 'rehearsal']),
  /** The ledger after the entry; absent where nothing was pinned now. */
  ledger: z.object({ size: z.number(), root: z.string() }).optional(),
});
export type PinOutput = z.infer<typeof pinOutput>;

export const keyNewInput = z.object({
  file: z.string(),
  holder: z.string(),
  algorithm: z.enum(['ed25519', 'ecdsa-p256', 'ecdsa-p384', 'ml-dsa-65', 'ml-dsa-87']).optional(),
  passphraseFile: z.array(z.string()).optional(),
});
export type KeyNewInput = z.infer<typeof keyNewInput>;

export const keyNewOutput = z.object({
  path: z.string(),
  /** The public half, to be given to whoever proposes the next root. */
  public: z.string(),
  holder: z.string(),
  algorithm: z.string(),
  keyid: z.string(),
  encrypted: z.boolean(),
  /** How the passphrase becomes the key of the file. */
  derivation: z.enum(['scrypt', 'pbkdf2', 'other']).optional(),
  /** The crypto profile that held, and what did the operation. */
  profile: z.string(),
  module: z.string(),
  validation: z.enum(['not validated', 'not known']),
});
export type KeyNewOutput = z.infer<typeof keyNewOutput>;

const keyPublicInput = z.object({
  key: z.string(),
  holder: z.string(),
  out: z.string(),
  passphraseFile: z.array(z.string()).optional(),
});
export type KeyPublicInput = z.infer<typeof keyPublicInput>;
const keyPublicOutput = z.object({
  public: z.string(),
  holder: z.string(),
  algorithm: z.string(),
  keyid: z.string(),
  /** What does the operations of this key, by its own words. */
  module: z.string(),
  /** Of that module; never a claim. */
  validation: z.enum(['not validated', 'not known']),
});
export type KeyPublicOutput = z.infer<typeof keyPublicOutput>;

const onDraft = { out: z.string(), expires: z.string().optional(), home: z.string().optional() };
const thresholds = z.array(z.string()).optional();

export const proposeInput = z.object({
  ...onDraft,
  add: z.array(z.string()).optional(),
  role: z.array(z.string()).optional(),
  remove: z.array(z.string()).optional(),
  threshold: thresholds,
  custody: z.enum(['shared', 'one-person']).optional(),
});
export type ProposeInput = z.infer<typeof proposeInput>;

export const rotateInput = z.object({
  ...onDraft,
  holder: z.string(),
  add: z.array(z.string()),
  reason: z.string().optional(),
});
export type RotateInput = z.infer<typeof rotateInput>;

export const revokeInput = z.object({
  ...onDraft,
  who: z.array(z.string()),
  reason: z.string(),
  threshold: thresholds,
});
export type RevokeInput = z.infer<typeof revokeInput>;

const reenrolInput = z.object({
  root: z.string(),
  fingerprint: z.string(),
  reason: z.string(),
  home: z.string().optional(),
});
export type ReenrolInput = z.infer<typeof reenrolInput>;

const leaveInput = z.object({ ...onDraft, who: z.string(), reason: z.string().optional(), threshold: thresholds });
export type LeaveInput = z.infer<typeof leaveInput>;

const sigstoreInput = z.object({
  artifact: z.string(),
  bundle: z.string(),
  trustedRoot: z.string().optional(),
  identity: z.string().optional(),
  issuer: z.string().optional(),
  key: z.string().optional(),
});
export type SigstoreVerifyInput = z.infer<typeof sigstoreInput>;
const sigstoreOutput = z.object({
  verdict: z.enum(['verified', 'unverified']),
  reasons: z.array(z.object({ code: z.string(), where: z.string(), detail: z.string() })),
});
export type SigstoreVerifyOutput = z.infer<typeof sigstoreOutput>;

const tufInput = z.object({
  folder: z.string(),
  root: z.string(),
  target: z.string().optional(),
  out: z.string().optional(),
  at: z.string().optional(),
});
export type TufVerifyInput = z.infer<typeof tufInput>;
const tufRole = z.object({ role: z.string(), version: z.number(), expires: z.string() });
const tufOutput = z.object({
  verdict: z.enum(['verified', 'unverified']),
  reasons: z.array(z.object({ code: z.string(), where: z.string(), detail: z.string() })),
  /** The newest root that the first one leads to. */
  root: tufRole.omit({ role: true }).optional(),
  roles: z.array(tufRole),
  target: z.object({ path: z.string(), sha256: z.string(), bytes: z.number() }).optional(),
});
export type TufVerifyOutput = z.infer<typeof tufOutput>;

export const proposeOutput = z.object({
  root: shownRoot,
  custody: z.enum(['shared', 'one-person', 'rehearsal']),
  expires: z.string(),
  signatures,
});
export type ProposeOutput = z.infer<typeof proposeOutput>;

const leaveOutput = proposeOutput.extend({
  /** What the person could do until now. */
  duties: z.array(z.string()),
  /** Their keys, revoked by the draft. */
  keys: z.array(z.string()),
  /** What is still to be done by people, in order. */
  todo: z.array(z.string()),
});
export type LeaveOutput = z.infer<typeof leaveOutput>;

export const signInput = z.object({
  draft: z.array(z.string()),
  key: z.array(z.string()).optional(),
  passphraseFile: z.array(z.string()).optional(),
});
export type SignInput = z.infer<typeof signInput>;

export const signOutput = z.object({
  root: shownRoot,
  /** Ids of the keys that signed now. */
  added: z.array(z.string()),
  /** Whether the draft has signatures that it had not before. */
  changed: z.boolean(),
  signatures,
});
export type SignOutput = z.infer<typeof signOutput>;

export const acceptInput = z.object({ draft: z.string(), home: z.string().optional() });
export type AcceptInput = z.infer<typeof acceptInput>;

export const acceptOutput = pinOutput.extend({ verdict: z.enum(['accepted', 'already-here', 'refused']) });
export type AcceptOutput = z.infer<typeof acceptOutput>;

const stopInput = z.object({ out: z.string(), home: z.string().optional() });
export type StopInput = z.infer<typeof stopInput>;
const stopOutput = z.object({
  path: z.string(),
  root: shownRoot,
  roots: z.number(),
  revoked: z.array(z.object({ keyid: z.string(), since: z.string(), reason: z.string() })),
});
export type StopOutput = z.infer<typeof stopOutput>;

const ceremonyFile = { file: z.string() };
const passphrases = { passphraseFile: z.array(z.string()).optional() };
const ceremonyOpenInput = z.object({
  draft: z.string(),
  out: z.string(),
  by: z.string(),
  witness: z.array(z.string()).optional(),
  allowNetwork: z.boolean().optional(),
});
export type CeremonyOpenInput = z.infer<typeof ceremonyOpenInput>;
const ceremonyConfirmInput = z.object({ ...ceremonyFile, who: z.string(), fingerprint: z.string().optional() });
export type CeremonyConfirmInput = z.infer<typeof ceremonyConfirmInput>;
const ceremonySignInput = z.object({ ...ceremonyFile, key: z.array(z.string()), ...passphrases });
export type CeremonySignInput = z.infer<typeof ceremonySignInput>;
const ceremonyNoteInput = z.object({ ...ceremonyFile, text: z.string(), by: z.string() });
export type CeremonyNoteInput = z.infer<typeof ceremonyNoteInput>;
const ceremonyJoinInput = z.object({ ...ceremonyFile, copy: z.array(z.string()) });
export type CeremonyJoinInput = z.infer<typeof ceremonyJoinInput>;
const ceremonyEndInput = z.object({ ...ceremonyFile, by: z.string(), reason: z.string().optional() });
export type CeremonyEndInput = z.infer<typeof ceremonyEndInput>;
const ceremonyShowInput = z.object(ceremonyFile);
export type CeremonyShowInput = z.infer<typeof ceremonyShowInput>;
const ceremonyRecordInput = z.object({ ...ceremonyFile, home: z.string().optional() });
export type CeremonyRecordInput = z.infer<typeof ceremonyRecordInput>;

const ceremonyOutput = z.object({
  state: z.enum(['open', 'closed', 'aborted']),
  path: z.string(),
  id: z.string(),
  root: shownRoot,
  network: z.enum(['forbidden', 'allowed']),
  /** Digest of the transcript as it stands; fixed once it has ended. */
  transcript: z.object({ sha256: z.string(), text: z.string() }),
  confirmed: z.array(z.string()),
  signatures,
  /** What is missing before it can be closed. */
  missing: z.array(z.string()),
  attested: z.array(z.string()),
  /** Who still has to attest before it can be recorded. */
  unattested: z.array(z.string()),
});
export type CeremonyOutput = z.infer<typeof ceremonyOutput>;

const ceremonyRecordOutput = z.object({
  verdict: z.enum(['accepted', 'already-here', 'refused', 'recorded']),
  reasons: z.array(z.object({ code: z.string(), where: z.string(), detail: z.string() })),
  root: shownRoot,
  custody: z.enum(['shared', 'one-person', 'rehearsal']),
  transcript: z.object({ sha256: z.string() }),
  ledger: z.object({ size: z.number(), root: z.string() }).optional(),
});
export type CeremonyRecordOutput = z.infer<typeof ceremonyRecordOutput>;

/** Opens the ledger of a home; the composition root gives `openLedger` of #ledger, which this context stands below. */
export type OpenAppender = (
  files: Files,
  home: Home,
  clock: Clock,
) => Promise<LedgerAppender & { close(): Promise<void> }>;

const home = { key: 'home', form: '--home HOME', help: 'the folder of this side (default: .sallyport)' } as const;

const out = { key: 'out', form: '-o, --out DRAFT', help: 'where the draft of the next root is written' } as const;
const expires = {
  key: 'expires',
  form: '--expires WHEN',
  help: 'until when the next root holds, for example 2030-01-31 (default: 1,095 days)',
} as const;
const threshold = {
  key: 'threshold',
  form: '--threshold ROLE=N...',
  help: 'how many holders of a role have to sign, for example sealer=2',
} as const;
const passphraseFile = {
  key: 'passphraseFile',
  form: '--passphrase-file FILE...',
  help: 'its first line opens encrypted keys (default: SALLYPORT_PASSPHRASE_FILE)',
} as const;

/** The verbs of trust; `trust show` and `trust pin` come first. */
export function trustOperations(openAppender: OpenAppender) {
  return [
    operation<ShowInput, ShowOutput>({
      name: ['trust', 'show'],
      summary: "Show a side's root, its fingerprint, its holders and its ledger's key; or a draft, and who signed it",
      parameters: [{ key: 'file', form: '[FILE]', help: "a draft or a root file, in place of the side's" }, home],
      input: showInput,
      output: showOutput,
      load: async () => (await import('./verbs/show.ts')).showVerb,
    }),
    operation<PinInput, PinOutput>({
      name: ['trust', 'pin'],
      summary: 'Fix, once, the root by which this side judges what arrives',
      parameters: [
        { key: 'root', form: 'ROOT', help: "the other side's root file" },
        {
          key: 'fingerprint',
          form: '--fingerprint HEX',
          help: 'its fingerprint, which you had by another way than the file (default: asks)',
        },
        home,
      ],
      input: pinInput,
      output: pinOutput,
      load: async () => (await import('./verbs/pin.ts')).pinVerb(openAppender),
    }),
    operation<KeyNewInput, KeyNewOutput>({
      name: ['trust', 'key', 'new'],
      summary: "Make a person's private key, and its public half in FILE.pub.json, which others are given",
      parameters: [
        { key: 'file', form: 'FILE', help: 'where the private key is written; nothing is overwritten' },
        { key: 'holder', form: '--holder NAME', help: 'whose key it is' },
        {
          key: 'algorithm',
          form: '--algorithm NAME',
          help: 'ed25519 (default where the crypto profile has it), ecdsa-p256, ecdsa-p384, ml-dsa-65 or ml-dsa-87',
        },
        {
          key: 'passphraseFile',
          form: '--passphrase-file FILE...',
          help: 'encrypt the key with the first line of this file (default: SALLYPORT_PASSPHRASE_FILE, else not encrypted)',
        },
      ],
      input: keyNewInput,
      output: keyNewOutput,
      load: async () => (await import('./verbs/key-new.ts')).keyNewVerb,
    }),
    operation<KeyPublicInput, KeyPublicOutput>({
      name: ['trust', 'key', 'public'],
      summary: 'Write the public half of a key that is there already: a file, a key on a token, one of an ssh-agent',
      parameters: [
        { key: 'key', form: 'KEY', help: 'a file, pkcs11:token=…;object=…?module-path=…, or ssh-agent:COMMENT' },
        { key: 'holder', form: '--holder NAME', help: 'whose key it is' },
        { key: 'out', form: '-o FILE', help: 'where the public half is written' },
        passphraseFile,
      ],
      input: keyPublicInput,
      output: keyPublicOutput,
      load: async () => (await import('./verbs/key-public.ts')).keyPublicVerb,
    }),
    operation<ProposeInput, ProposeOutput>({
      name: ['trust', 'propose'],
      summary: "Draft the next version of this side's own root, for its holders to sign",
      parameters: [
        out,
        {
          key: 'add',
          form: '--add PUB...',
          help: "public half of a new holder's key; of a holder who is there, in place of the keys before; two of one holder both have to sign",
        },
        {
          key: 'role',
          form: '--role ROLE...',
          help: "roles of the new holders, for example sealer; or from now on a holder's only ones: Ada=root,sealer",
        },
        { key: 'remove', form: '--remove HOLDER...', help: 'leave a holder out' },
        threshold,
        expires,
        { key: 'custody', form: '--custody NAME', help: 'shared: different people hold the keys; one-person' },
        home,
      ],
      input: proposeInput,
      output: proposeOutput,
      load: async () => (await import('./verbs/propose.ts')).proposeVerb,
    }),
    operation<RotateInput, ProposeOutput>({
      name: ['trust', 'rotate'],
      summary: 'Draft a root in which a holder has new keys for the same roles',
      parameters: [
        { key: 'holder', form: 'HOLDER', help: 'whose keys are replaced' },
        { key: 'add', form: 'PUB...', help: "public halves of the holder's new keys; all of them have to sign" },
        out,
        { key: 'reason', form: '--reason TEXT', help: 'revoke the keys before, and say why' },
        expires,
        home,
      ],
      input: rotateInput,
      output: proposeOutput,
      load: async () => (await import('./verbs/propose.ts')).rotateVerb,
    }),
    operation<RevokeInput, ProposeOutput>({
      name: ['trust', 'revoke'],
      summary: 'Draft a root that never again accepts the keys of a holder, or one key',
      parameters: [
        { key: 'who', form: 'WHO...', help: 'the name of a holder, or a key id' },
        out,
        { key: 'reason', form: '--reason TEXT', help: 'why; it stands in the root for all to read' },
        threshold,
        expires,
        home,
      ],
      input: revokeInput,
      output: proposeOutput,
      load: async () => (await import('./verbs/propose.ts')).revokeVerb,
    }),
    operation<SignInput, SignOutput>({
      name: ['trust', 'sign'],
      summary: 'Sign the draft of a root, or bring together what several people signed in copies of it',
      parameters: [
        {
          key: 'draft',
          form: 'DRAFT...',
          help: 'the draft, which is rewritten; signatures of copies named after it are added',
        },
        { key: 'key', form: '--key FILE...', help: 'private keys that sign' },
        passphraseFile,
      ],
      input: signInput,
      output: signOutput,
      load: async () => (await import('./verbs/sign.ts')).signVerb,
    }),
    operation<AcceptInput, AcceptOutput>({
      name: ['trust', 'accept'],
      summary:
        'Take the next root, signed by enough holders of the old one and of its own, into the chain of this side',
      parameters: [
        {
          key: 'draft',
          form: 'DRAFT',
          help: 'the signed draft, the root file that another side made, or a folder of roots',
        },
        home,
      ],
      input: acceptInput,
      output: acceptOutput,
      load: async () => (await import('./verbs/accept.ts')).acceptVerb(openAppender),
    }),
    operation<ProposeInput, ProposeOutput>({
      name: ['trust', 'add'],
      summary: "Draft a root with new holders; the same as 'trust propose --add'",
      parameters: [
        {
          key: 'add',
          form: 'PUB...',
          help: "public halves of the new holders' keys; two of one holder both have to sign",
        },
        { key: 'role', form: '--role ROLE...', help: 'their roles, for example sealer; or Ada=root,sealer' },
        out,
        threshold,
        expires,
        home,
      ],
      input: proposeInput,
      output: proposeOutput,
      load: async () => (await import('./verbs/propose.ts')).proposeVerb,
    }),
    operation<LeaveInput, LeaveOutput>({
      name: ['trust', 'leave'],
      summary: 'Draft a root without a person who leaves: their keys are revoked, and what is left to do is listed',
      parameters: [
        { key: 'who', form: 'PERSON', help: 'the name of the holder' },
        out,
        { key: 'reason', form: '--reason TEXT', help: "why; it stands in the root for all to read (default: 'left')" },
        threshold,
        expires,
        home,
      ],
      input: leaveInput,
      output: leaveOutput,
      load: async () => (await import('./verbs/propose.ts')).leaveVerb,
    }),
    operation<ReenrolInput, PinOutput>({
      name: ['trust', 'reenrol'],
      summary:
        'Begin again with a new root when too few holders of the old one are left to sign it; recorded, by fingerprint',
      parameters: [
        { key: 'root', form: 'ROOT', help: 'the new root, signed by its own holders' },
        {
          key: 'fingerprint',
          form: '--fingerprint HEX',
          help: 'its fingerprint, which you had by another way than the file',
        },
        { key: 'reason', form: '--reason TEXT', help: 'why; it stands in the ledger for all to read' },
        home,
      ],
      input: reenrolInput,
      output: pinOutput,
      load: async () => (await import('./verbs/reenrol.ts')).reenrolVerb(openAppender),
    }),
    operation<SigstoreVerifyInput, SigstoreVerifyOutput>({
      name: ['sigstore', 'verify'],
      summary: 'Judge a Sigstore bundle over an artifact, offline, by a trusted root and an identity, or by a key',
      parameters: [
        { key: 'artifact', form: 'ARTIFACT', help: 'the file that was signed, or that the attestation is about' },
        { key: 'bundle', form: '--bundle FILE', help: 'the Sigstore bundle' },
        { key: 'trustedRoot', form: '--trusted-root FILE', help: 'trusted_root.json of the instance, brought along' },
        { key: 'identity', form: '--identity NAME', help: 'the identity in the certificate, exactly' },
        { key: 'issuer', form: '--issuer URL', help: 'who vouches for that identity, exactly' },
        { key: 'key', form: '--key FILE', help: 'a public key (PEM) in place of an identity' },
      ],
      input: sigstoreInput,
      output: sigstoreOutput,
      load: async () => (await import('./verbs/sigstore-verify.ts')).sigstoreVerifyVerb,
    }),
    operation<TufVerifyInput, TufVerifyOutput>({
      name: ['tuf', 'verify'],
      summary: 'Judge a TUF repository that lies in a folder, offline, and take a target out of it',
      parameters: [
        { key: 'folder', form: 'FOLDER', help: 'a copy with metadata/ and targets/' },
        { key: 'root', form: '--root FILE', help: 'a root of it that you trust' },
        { key: 'target', form: '--target NAME', help: 'a target, for example trusted_root.json' },
        { key: 'out', form: '-o FILE', help: 'where the target goes, if all of it holds' },
        { key: 'at', form: '--at TIME', help: 'when metadata must not have expired (default: now)' },
      ],
      input: tufInput,
      output: tufOutput,
      load: async () => (await import('./verbs/tuf-verify.ts')).tufVerifyVerb,
    }),
    stopOperation,
    ...ceremonyOperations(openAppender),
  ];
}

const ceremony = { key: 'file', form: 'FILE', help: 'the ceremony, which is rewritten' } as const;
const by = { key: 'by', form: '--by NAME', help: 'who says so' } as const;

const stopOperation = operation<StopInput, StopOutput>({
  name: ['trust', 'stop'],
  summary:
    'Write an emergency medium: the chain of roots alone, by which every inside refuses what a revoked key sealed',
  parameters: [{ key: 'out', form: '-o, --out FOLDER', help: 'where the roots are written' }, home],
  input: stopInput,
  output: stopOutput,
  load: async () => (await import('./verbs/stop.ts')).stopVerb,
});

/** A root's signing as a ceremony: m of n people, offline, with a transcript (docs/spec/ceremony.md). */
function ceremonyOperations(openAppender: OpenAppender) {
  const verbs = async () => import('./verbs/ceremony.ts');
  return [
    operation<CeremonyOpenInput, CeremonyOutput>({
      name: ['trust', 'ceremony', 'open'],
      summary: 'Begin a ceremony in which the holders of a root sign a draft, one after the other, offline',
      parameters: [
        {
          key: 'draft',
          form: 'DRAFT',
          help: "a draft that nobody signed yet, from 'trust propose', 'rotate' or 'revoke'",
        },
        { key: 'out', form: '-o, --out FILE', help: 'where the ceremony is written' },
        by,
        {
          key: 'witness',
          form: '--witness PUB...',
          help: 'public halves of people who watch and hold no key of the root',
        },
        { key: 'allowNetwork', form: '--allow-network', help: 'machines may have a network; the transcript says so' },
      ],
      input: ceremonyOpenInput,
      output: ceremonyOutput,
      load: async () => (await verbs()).openVerb,
    }),
    operation<CeremonyConfirmInput, CeremonyOutput>({
      name: ['trust', 'ceremony', 'confirm'],
      summary: 'Say that you compared the fingerprint, as it was read aloud, with what you were told before',
      parameters: [
        ceremony,
        { key: 'who', form: '--who NAME', help: 'the holder or witness who confirms' },
        { key: 'fingerprint', form: '--fingerprint HEX', help: 'as it was read aloud (default: asks)' },
      ],
      input: ceremonyConfirmInput,
      output: ceremonyOutput,
      load: async () => (await verbs()).confirmVerb,
    }),
    operation<CeremonySignInput, CeremonyOutput>({
      name: ['trust', 'ceremony', 'sign'],
      summary: 'Sign the draft of a ceremony with keys of holders who confirmed the fingerprint',
      parameters: [ceremony, { key: 'key', form: '--key FILE...', help: 'private keys that sign' }, passphraseFile],
      input: ceremonySignInput,
      output: ceremonyOutput,
      load: async () => (await verbs()).signCeremonyVerb,
    }),
    operation<CeremonyNoteInput, CeremonyOutput>({
      name: ['trust', 'ceremony', 'note'],
      summary: 'Write down what people did in the room: seals that were broken, safes that were opened',
      parameters: [ceremony, { key: 'text', form: '--text TEXT', help: 'at most 256 characters' }, by],
      input: ceremonyNoteInput,
      output: ceremonyOutput,
      load: async () => (await verbs()).noteVerb,
    }),
    operation<CeremonyJoinInput, CeremonyOutput>({
      name: ['trust', 'ceremony', 'join'],
      summary: 'Bring together what was done on several machines in copies of one ceremony',
      parameters: [ceremony, { key: 'copy', form: 'COPY...', help: 'copies that were carried here' }],
      input: ceremonyJoinInput,
      output: ceremonyOutput,
      load: async () => (await verbs()).joinVerb,
    }),
    operation<CeremonyEndInput, CeremonyOutput>({
      name: ['trust', 'ceremony', 'close'],
      summary: 'End a ceremony in which enough signed; its transcript does not change any more',
      parameters: [ceremony, by],
      input: ceremonyEndInput,
      output: ceremonyOutput,
      load: async () => (await verbs()).closeVerb,
    }),
    operation<CeremonyEndInput, CeremonyOutput>({
      name: ['trust', 'ceremony', 'abort'],
      summary: 'End a ceremony without a root',
      parameters: [ceremony, { key: 'reason', form: '--reason TEXT', help: 'why; it stands in the transcript' }, by],
      input: ceremonyEndInput,
      output: ceremonyOutput,
      load: async () => (await verbs()).abortVerb,
    }),
    operation<CeremonySignInput, CeremonyOutput>({
      name: ['trust', 'ceremony', 'attest'],
      summary: 'Sign the transcript of a ceremony that has ended, as one who was there',
      parameters: [
        ceremony,
        { key: 'key', form: '--key FILE...', help: 'keys of holders or witnesses' },
        passphraseFile,
      ],
      input: ceremonySignInput,
      output: ceremonyOutput,
      load: async () => (await verbs()).attestVerb,
    }),
    operation<CeremonyShowInput, CeremonyOutput>({
      name: ['trust', 'ceremony', 'show'],
      summary: 'Print the transcript of a ceremony, and what is still missing',
      parameters: [{ key: 'file', form: 'FILE', help: 'the ceremony' }],
      input: ceremonyShowInput,
      output: ceremonyOutput,
      load: async () => (await verbs()).showCeremonyVerb,
    }),
    operation<CeremonyRecordInput, CeremonyRecordOutput>({
      name: ['trust', 'ceremony', 'record'],
      summary: 'Take the root of a ceremony into the chain of this side, with the transcript in its ledger',
      parameters: [{ key: 'file', form: 'FILE', help: 'the ceremony, ended and attested' }, home],
      input: ceremonyRecordInput,
      output: ceremonyRecordOutput,
      load: async () => (await verbs()).recordVerb(openAppender),
    }),
  ];
}
