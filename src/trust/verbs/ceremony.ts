import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { pae } from '#formats';
import { type Implementation, instantOf, type LedgerAppender, printable, type Style, type World } from '#kernel';
import { homePath, openHome } from '#system';
import {
  attestationMessage,
  attestedBy,
  type Ceremony,
  endOf,
  joinCeremonies,
  missingOf,
  participantsOf,
  type Step,
  transcriptDigest,
  transcriptOf,
  unattested,
  withAttestation,
  withStep,
} from '../ceremony.ts';
import { type Draft, mergeSignatures } from '../draft.ts';
import { trustFault } from '../faults.ts';
import { machineFacts, readCeremony, recordCeremony, writeCeremony } from '../io/ceremonies.ts';
import { cryptoProfile } from '../io/crypto-profiles.ts';
import { readDraft } from '../io/drafts.ts';
import { readPublicHalf } from '../io/key-files.ts';
import { keyNames, passphrasesOf, signingKey } from '../io/keys.ts';
import type {
  CeremonyConfirmInput,
  CeremonyEndInput,
  CeremonyJoinInput,
  CeremonyNoteInput,
  CeremonyOpenInput,
  CeremonyOutput,
  CeremonyRecordInput,
  CeremonyRecordOutput,
  CeremonyShowInput,
  CeremonySignInput,
  OpenAppender,
} from '../operations.ts';
import { foldName, isHolderName, isRevocationReason, ROOT_PAYLOAD_TYPE } from '../root.ts';
import { parseFingerprint } from './pin.ts';
import { showSignatures, signaturesOf } from './signatures.ts';
import { showVerdict } from './verdict.ts';

type Verb<I> = Implementation<I, CeremonyOutput>;

function step(world: World, what: Step['what'], who: string, more: Partial<Step> = {}): Step {
  if (!isHolderName(who)) throw trustFault('trust.holder-name', { where: printable(who) });
  return { what, who, time: instantOf(world.clock.now()), machine: machineFacts(world.version), ...more };
}

function offline({ network }: Ceremony, { machine }: Step): void {
  if (network === 'allowed' || machine.network.length === 0) return;
  throw trustFault('trust.ceremony-online', { where: machine.name, detail: `It has ${machine.network.join(', ')}.` });
}

function mustBe(changed: Ceremony | string, path: string): Ceremony {
  if (typeof changed === 'string') throw trustFault('trust.ceremony-step', { where: path, detail: printable(changed) });
  return changed;
}

/** Reads a ceremony, changes it, writes it where it changed. */
async function change(file: string, world: World, to: (ceremony: Ceremony, path: string) => Promise<Ceremony>) {
  const path = resolve(world.cwd, file);
  const before = await readCeremony(world.files, path);
  const after = await to(before, path);
  if (after !== before) await writeCeremony(world.files, path, after);
  return about(after, path);
}

function about(ceremony: Ceremony, path: string): CeremonyOutput {
  const { id, draft, network, steps } = ceremony;
  const { root } = draft;
  const attested = attestedBy(ceremony);
  return {
    state: endOf(ceremony) ?? 'open',
    path,
    id,
    root: { path, version: root.version, fingerprint: root.fingerprint },
    network,
    transcript: { sha256: transcriptDigest(ceremony), text: transcriptOf(ceremony) },
    confirmed: [...new Set(steps.filter(({ what }) => what === 'confirmed').map(({ who }) => who))],
    signatures: signaturesOf(draft),
    missing: endOf(ceremony) === undefined ? [...missingOf(ceremony)] : [],
    attested: [...attested.holders, ...attested.witnesses],
    unattested: endOf(ceremony) === undefined ? [] : [...unattested(ceremony)],
  };
}

const common: Pick<Verb<never>, 'exit' | 'show'> = {
  exit: () => 0,
  show(output, style) {
    const { state, path, root, transcript, signatures, missing, attested, unattested: due } = output;
    return [
      `${state === 'aborted' ? style.warn(state) : style.good(state)} ${path}`,
      `  root ${root.version}, network ${output.network}`,
      ...showSignatures(signatures, style),
      ...(output.confirmed.length === 0 ? [] : [`  confirmed by ${output.confirmed.map(printable).join(', ')}`]),
      ...missing.map((line) => `  missing: ${printable(line)}`),
      ...(attested.length === 0 ? [] : [`  attested by ${attested.map(printable).join(', ')}`]),
      ...due.map((line) => `  missing: ${printable(line)}`),
      `  transcript ${transcript.sha256}`,
      style.dim("'sallyport trust ceremony show FILE' prints all of it."),
    ].join('\n');
  },
};

export const openVerb: Verb<CeremonyOpenInput> = {
  ...common,
  async run(input, world) {
    const { files, cwd } = world;
    const path = resolve(cwd, input.out);
    const draft = await readDraft(files, resolve(cwd, input.draft));
    const { previous } = draft;
    if (previous === undefined) {
      throw trustFault('trust.ceremony-step', {
        where: input.draft,
        detail: 'It is a root and no draft of the next one.',
      });
    }
    const witnesses = [];
    for (const name of input.witness ?? []) witnesses.push(await readPublicHalf(files, resolve(cwd, name)));
    const ceremony: Ceremony = {
      id: randomBytes(16).toString('hex'),
      draft: { ...draft, previous },
      network: input.allowNetwork === true ? 'allowed' : 'forbidden',
      witnesses,
      steps: [],
      attestations: [],
    };
    const opened = mustBe(withStep(ceremony, step(world, 'opened', input.by)), input.draft);
    await writeCeremony(files, path, opened, true);
    return about(opened, path);
  },
};

export const confirmVerb: Verb<CeremonyConfirmInput> = {
  ...common,
  run: (input, world) =>
    change(input.file, world, async (ceremony, path) => {
      const { root } = ceremony.draft;
      const taken = step(world, 'confirmed', nameIn(ceremony, input.who));
      offline(ceremony, taken);
      const said = input.fingerprint ?? (await askFingerprint(world, ceremony, taken.who, path));
      if (parseFingerprint(said) !== root.fingerprint) {
        const detail = 'What was read aloud is not the fingerprint of this draft. Nothing was written.';
        throw trustFault('trust.ceremony-step', { where: path, detail });
      }
      if (ceremony.steps.some(({ what, who }) => what === 'confirmed' && who === taken.who)) return ceremony;
      return mustBe(withStep(ceremony, taken), path);
    }),
};

/** A holder or witness by the name that the root or their key has for them. */
function nameIn(ceremony: Ceremony, who: string): string {
  const names = [...participantsOf(ceremony).keys(), ...ceremony.witnesses.map(({ holder }) => holder)];
  return names.find((name) => foldName(name) === foldName(who)) ?? who;
}

/** The fingerprint is not shown here: whoever copies it from this screen has compared nothing. */
async function askFingerprint(world: World, { draft }: Ceremony, who: string, path: string): Promise<string> {
  if (world.ask === undefined) throw trustFault('trust.fingerprint-needed', { where: path });
  const { root } = draft;
  return world.ask(
    `${printable(who)}: root ${root.version} of ${root.site}. Its fingerprint, as it is read aloud (64 hex digits): `,
  );
}

export const signCeremonyVerb: Verb<CeremonySignInput> = {
  ...common,
  run: (input, world) =>
    change(input.file, world, async (ceremony, path) => {
      const { files, cwd } = world;
      const profile = await cryptoProfile(files);
      const passphrases = passphrasesOf(world, input.passphraseFile);
      let now = ceremony;
      for (const name of keyNames(cwd, input.key)) {
        const key = await signingKey(files, name, passphrases, profile);
        const who = [...participantsOf(now)].find(([, keys]) => keys.some(({ keyid }) => keyid === key.keyid))?.[0];
        if (who === undefined) throw trustFault('trust.key-not-of-root', { where: name, detail: `Key ${key.keyid}.` });
        if (now.draft.signatures.some(({ keyid }) => keyid === key.keyid)) continue;
        const taken = step(world, 'signed', who, { keyid: key.keyid, module: key.module.name });
        offline(now, taken);
        // Before the key is used: a signature without the person's word is not made.
        if (!now.steps.some(({ what, who: other }) => what === 'confirmed' && other === who)) {
          const detail = `${who} has not confirmed the fingerprint.`;
          throw trustFault('trust.ceremony-step', { where: path, detail });
        }
        if (endOf(now) !== undefined)
          throw trustFault('trust.ceremony-step', { where: path, detail: `It was ${endOf(now)}.` });
        const sig = key.sign(pae(ROOT_PAYLOAD_TYPE, now.draft.payload));
        const draft: Draft = mergeSignatures(now.draft, [{ keyid: key.keyid, sig }]);
        now = mustBe(withStep(now, taken, draft), path);
      }
      return now;
    }),
};

export const noteVerb: Verb<CeremonyNoteInput> = {
  ...common,
  run: (input, world) =>
    change(input.file, world, async (ceremony, path) =>
      mustBe(withStep(ceremony, step(world, 'noted', input.by, { text: said(input.text, '--text') })), path),
    ),
};

function said(text: string | undefined, where: string): string {
  if (isRevocationReason(text)) return text;
  throw trustFault('trust.ceremony-step', {
    where,
    detail: 'It is empty, longer than 256 characters or not plain text.',
  });
}

export const joinVerb: Verb<CeremonyJoinInput> = {
  ...common,
  run: (input, world) =>
    change(input.file, world, async (ceremony, path) => {
      let joined = ceremony;
      for (const name of input.copy) {
        const copy = resolve(world.cwd, name);
        joined = mustBe(joinCeremonies(joined, await readCeremony(world.files, copy)), `${path}, ${copy}`);
      }
      return joined;
    }),
};

export const closeVerb: Verb<CeremonyEndInput> = {
  ...common,
  run: (input, world) =>
    change(input.file, world, async (ceremony, path) =>
      endOf(ceremony) === 'closed' ? ceremony : mustBe(withStep(ceremony, step(world, 'closed', input.by)), path),
    ),
};

export const abortVerb: Verb<CeremonyEndInput> = {
  ...common,
  run: (input, world) =>
    change(input.file, world, async (ceremony, path) =>
      endOf(ceremony) === 'aborted'
        ? ceremony
        : mustBe(withStep(ceremony, step(world, 'aborted', input.by, { text: said(input.reason, '--reason') })), path),
    ),
};

export const attestVerb: Verb<CeremonySignInput> = {
  ...common,
  run: (input, world) =>
    change(input.file, world, async (ceremony, path) => {
      const { files, cwd } = world;
      const profile = await cryptoProfile(files);
      const passphrases = passphrasesOf(world, input.passphraseFile);
      if (endOf(ceremony) === undefined) {
        throw trustFault('trust.ceremony-step', { where: path, detail: 'It has not ended: close or abort it first.' });
      }
      let now = ceremony;
      for (const name of keyNames(cwd, input.key)) {
        const key = await signingKey(files, name, passphrases, profile);
        if (now.attestations.some(({ keyid }) => keyid === key.keyid)) continue;
        const known = [...[...participantsOf(now).values()].flat(), ...now.witnesses.map((witness) => witness.key)];
        if (!known.some(({ keyid }) => keyid === key.keyid)) {
          const detail = `Key ${key.keyid} is neither of a holder of the root nor of a witness.`;
          throw trustFault('trust.ceremony-step', { where: name, detail });
        }
        now = mustBe(withAttestation(now, key.keyid, key.sign(attestationMessage(now))), path);
      }
      return now;
    }),
};

export const showCeremonyVerb: Verb<CeremonyShowInput> = {
  ...common,
  run: (input, world) => change(input.file, world, async (ceremony) => ceremony),
  show: (output, style: Style) => `${output.transcript.text}\n${common.show(output, style)}`,
};

export function recordVerb(openAppender: OpenAppender): Implementation<CeremonyRecordInput, CeremonyRecordOutput> {
  return {
    async run(input, world) {
      const { files, clock } = world;
      const home = await openHome(files, homePath(world, input.home === undefined ? {} : { home: input.home }));
      const path = resolve(world.cwd, input.file);
      const ceremony = await readCeremony(files, path);
      const { root } = ceremony.draft;
      let ledger: (LedgerAppender & { close(): Promise<void> }) | undefined;
      try {
        const done = await recordCeremony(files, home, path, ceremony, {
          now: clock.now(),
          ledger: async () => (ledger = await openAppender(files, home, clock)),
        });
        return {
          root: { path, version: root.version, fingerprint: root.fingerprint },
          custody: root.custody,
          ...done,
          reasons: 'reasons' in done ? [...done.reasons] : [],
          transcript: { sha256: transcriptDigest(ceremony) },
        };
      } finally {
        await ledger?.close();
      }
    },
    exit: ({ verdict }) => (verdict === 'refused' ? 1 : 0),
    show: (output, style) => `${showVerdict(output, style)}\n  transcript ${output.transcript.sha256}`,
  };
}
