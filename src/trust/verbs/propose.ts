import { resolve } from 'node:path';
import { type Implementation, printable, type World } from '#kernel';
import { homePath, openHome } from '#system';
import { type Draft } from '../draft.ts';
import { trustFault } from '../faults.ts';
import { readPublicHalf } from '../io/key-files.ts';
import { writeNewDraft } from '../io/drafts.ts';
import { ownRoot } from '../io/roots.ts';
import type { LeaveInput, LeaveOutput, ProposeInput, ProposeOutput, RevokeInput, RotateInput } from '../operations.ts';
import { type Change, draftOf, proposeRoot } from '../proposal.ts';
import type { PublicHalf } from '../public-half.ts';
import { encodeRoot, fingerprintOf, foldName, type Root } from '../root.ts';
import { CUSTODY } from './show.ts';
import { showSignatures, signaturesOf } from './signatures.ts';

interface Common {
  readonly out: string;
  readonly home?: string | undefined;
  readonly expires?: string | undefined;
}

async function propose(input: Common, world: World, changeOf: (root: Root) => Change): Promise<ProposeOutput> {
  const { files } = world;
  const home = await openHome(files, homePath(world, input.home === undefined ? {} : { home: input.home }));
  const own = await ownRoot(files, home);
  if (fingerprintOf(encodeRoot(draftOf(own.root))) !== own.root.fingerprint) {
    // What is not understood would be lost in the next version.
    throw trustFault('trust.proposal', {
      where: own.path,
      detail: 'It holds something that this Sallyport does not know.',
      fix: 'Propose with the newest Sallyport of all who sign.',
    });
  }
  const { expires } = input;
  const change = { ...changeOf(own.root), ...(expires === undefined ? {} : { expires }) };
  const { payload, root } = proposeRoot(own.root, change, world.clock.now());
  const draft: Draft = { payload, root, signatures: [], previous: { root: own.root, bytes: own.bytes } };
  const path = resolve(world.cwd, input.out);
  await writeNewDraft(files, path, draft);
  return {
    root: { path, version: root.version, fingerprint: root.fingerprint },
    custody: root.custody,
    expires: root.expires,
    signatures: signaturesOf(draft),
  };
}

async function halves(world: World, paths: readonly string[]): Promise<PublicHalf[]> {
  const read: PublicHalf[] = [];
  for (const path of paths) read.push(await readPublicHalf(world.files, resolve(world.cwd, path)));
  return read;
}

const common: Pick<Implementation<never, ProposeOutput>, 'exit' | 'show'> = {
  exit: () => 0,
  show(output, style) {
    const { root, custody } = output;
    return [
      `${style.good('draft')} ${root.path}`,
      `  version ${root.version}, holds until ${output.expires}, fingerprint ${root.fingerprint}`,
      ...(custody === 'shared' ? [] : [`  ${style.warn(CUSTODY[custody])}`]),
      ...showSignatures(output.signatures, style),
      style.dim("'sallyport trust sign DRAFT --key FILE' signs it, 'sallyport trust accept DRAFT' takes it."),
    ].join('\n');
  },
};

export const proposeVerb: Implementation<ProposeInput, ProposeOutput> = {
  ...common,
  async run(input, world) {
    const add = await halves(world, input.add ?? []);
    return propose(input, world, () => ({
      add,
      roles: input.role ?? [],
      remove: input.remove ?? [],
      thresholds: input.threshold ?? [],
      ...(input.custody === undefined ? {} : { custody: input.custody }),
    }));
  },
};

export const rotateVerb: Implementation<RotateInput, ProposeOutput> = {
  ...common,
  async run(input, world) {
    const add = await halves(world, input.add);
    const other = add.find(({ holder }) => foldName(holder) !== foldName(input.holder));
    if (other !== undefined) {
      throw trustFault('trust.proposal', {
        detail: `One of the keys is of ${other.holder}, not of ${printable(input.holder)}.`,
      });
    }
    return propose(input, world, (root) => {
      const before = root.holders.find(({ name }) => foldName(name) === foldName(input.holder));
      if (before === undefined) {
        throw trustFault('trust.proposal', { detail: `The root knows no holder ${printable(input.holder)}.` });
      }
      const ledger = before.require.get('ledger') ?? [];
      const again = new Set(add.map(({ key }) => key.keyid));
      const old = before.keys.map(({ keyid }) => keyid).filter((id) => !ledger.includes(id) && !again.has(id));
      return { add, ...(input.reason === undefined ? {} : { revoke: old, reason: input.reason }) };
    });
  },
};

export const revokeVerb: Implementation<RevokeInput, ProposeOutput> = {
  ...common,
  run: (input, world) =>
    propose(input, world, () => ({ revoke: input.who, reason: input.reason, thresholds: input.threshold ?? [] })),
};

/** Somebody leaves: the draft takes their keys for ever, and what no draft can do is said. */
export const leaveVerb: Implementation<LeaveInput, LeaveOutput> = {
  async run(input, world) {
    let duties: string[] = [];
    let keys: string[] = [];
    let name = input.who;
    const proposed = await propose(input, world, (root) => {
      const holder = root.holders.find((one) => foldName(one.name) === foldName(input.who));
      if (holder !== undefined) {
        duties = [...holder.require.keys()];
        keys = holder.keys.map(({ keyid }) => keyid);
        name = holder.name;
      }
      return { revoke: [input.who], reason: input.reason ?? 'left', thresholds: input.threshold ?? [] };
    });
    const { root, signatures } = proposed;
    const signers = signatures.previous?.missing.filter((one) => one !== name) ?? [];
    return {
      ...proposed,
      duties,
      keys,
      todo: [
        `sign the draft: 'sallyport trust sign ${root.path} --key FILE', by ${signers.join(', ') || 'the holders of the root'}`,
        `take it: 'sallyport trust accept ${root.path}', then carry it to every inside, with the next bundle or by itself`,
        `have ${printable(name)} hand in tokens and key files, and destroy what is not needed any more`,
        `see what ${printable(name)} still has in hand: 'sallyport medium list', 'sallyport approve'`,
        'seal again what is under way and was sealed by these keys: the inside refuses it once it has the new root',
      ],
    };
  },
  exit: () => 0,
  show(output, style) {
    return [
      common.show(output, style),
      `  was ${output.duties.join(', ')}; ${output.keys.length} keys are revoked`,
      style.bold('Still to do:'),
      ...output.todo.map((line, index) => `  ${index + 1}. ${line}`),
    ].join('\n');
  },
};
