import { resolve } from 'node:path';
import type { Implementation, LedgerAppender, World } from '#kernel';
import { homePath, openHome } from '#system';
import { trustFault } from '../faults.ts';
import { pinRoot } from '../io/roots.ts';
import type { OpenAppender, PinInput, PinOutput } from '../operations.ts';
import type { Root } from '../root.ts';
import { showVerdict } from './verdict.ts';

export function pinVerb(openAppender: OpenAppender): Implementation<PinInput, PinOutput> {
  return {
    async run(input, world) {
      const expected = input.fingerprint === undefined ? undefined : parseFingerprint(input.fingerprint);
      const home = await openHome(world.files, homePath(world, input.home === undefined ? {} : { home: input.home }));
      const path = resolve(world.cwd, input.root);
      let ledger: (LedgerAppender & { close(): Promise<void> }) | undefined;
      try {
        const pinning = await pinRoot(world.files, home, path, {
          now: world.clock.now(),
          ...(expected === undefined ? {} : { expected }),
          ask: (root) => askFingerprint(world, root, path),
          ledger: async () => (ledger = await openAppender(world.files, home, world.clock)),
        });
        return { ...pinning, reasons: [...pinning.reasons] };
      } finally {
        await ledger?.close();
      }
    },

    exit: (output) => (output.verdict === 'refused' ? 1 : 0),

    show: showVerdict,
  };
}

/** 64 hex digits, in any case, with or without the spaces and colons that people put in to read them aloud. */
export function parseFingerprint(text: string): string {
  const hex = text
    .trim()
    .replace(/^sha256:/i, '')
    .replace(/[\s:]/g, '')
    .toLowerCase();
  if (!/^[0-9a-f]{64}$/.test(hex)) throw trustFault('trust.fingerprint-form', { where: '--fingerprint' });
  return hex;
}

/** The fingerprint is not shown here: a person who copies it from this screen has compared nothing. */
async function askFingerprint(world: World, root: Root, path: string): Promise<string> {
  if (world.ask === undefined) throw trustFault('trust.fingerprint-needed', { where: path });
  const holders = root.holders.map(({ name }) => name).join(', ');
  const answer = await world.ask(
    `${path}\n  root version ${root.version} of ${root.site}, custody ${root.custody}, held by ${holders}, until ${root.expires}\n` +
      'Its fingerprint, as its owner told you (64 hex digits): ',
  );
  return parseFingerprint(answer);
}
