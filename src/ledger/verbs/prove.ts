import { resolve } from 'node:path';
import { encodeBase64 } from '#formats';
import { type Files, type Implementation, printable } from '#kernel';
import { homePath, makeFolderDurably, openHome, writeDurably } from '#system';
import { AUDITOR_SCRIPT } from '../auditor-script.ts';
import { ledgerFault } from '../faults.ts';
import type { ProveInput, ProveOutput } from '../operations.ts';
import { readHomeLedger } from '../reading.ts';

export const proveVerb: Implementation<ProveInput, ProveOutput> = {
  async run(input, world) {
    const home = await openHome(world.files, homePath(world, input.home === undefined ? {} : { home: input.home }));
    const ledger = await readHomeLedger(world.files, home);
    const { hashes, text } = await ledger.prove(input.index);
    const { entry, digest, statement } = await ledger.record(input.index);
    const file = input.out === undefined ? undefined : resolve(world.cwd, input.out);
    if (file !== undefined) await writeDurably(world.files, file, text);
    const kit = input.kit === undefined ? undefined : resolve(world.cwd, input.kit);
    if (kit !== undefined) await writeKit(world.files, kit, { entry, proof: text, statement });
    return {
      index: input.index,
      size: ledger.size,
      root: ledger.root,
      proof: hashes.map((hash) => encodeBase64(hash)),
      proofText: Buffer.from(text).toString('utf8'),
      entry: encodeBase64(entry),
      ...(digest === undefined ? {} : { statement: digest }),
      ...(file === undefined ? {} : { file }),
      ...(kit === undefined ? {} : { kit }),
    };
  },

  exit: () => 0,

  show({ index, size, file, kit, proofText }, style) {
    if (kit !== undefined) {
      return [
        `${style.good('proved')} entry ${index} in the tree of size ${size}: ${printable(kit)}`,
        `  the auditor runs: sh ${printable(kit)}/check.sh ${printable(kit)} VKEY`,
        '  VKEY is trust/ledger.vkey of this home; the auditor must have it by another way',
      ].join('\n');
    }
    if (file === undefined) return proofText.replace(/\n$/, '');
    return `${style.good('proved')} entry ${index} in the tree of size ${size}: ${printable(file)}`;
  },
};

/** A folder that a POSIX shell and openssl judge without us; the verifier key is not in it, on purpose. */
async function writeKit(
  files: Files,
  folder: string,
  { entry, proof, statement }: { entry: Uint8Array; proof: Uint8Array; statement: Uint8Array | undefined },
): Promise<void> {
  if ((await files.look(folder)) !== undefined) throw ledgerFault('ledger.kit-there', { where: folder });
  await makeFolderDurably(files, folder);
  await writeDurably(files, `${folder}/entry`, entry);
  await writeDurably(files, `${folder}/proof`, proof);
  if (statement !== undefined) await writeDurably(files, `${folder}/statement.json`, statement);
  await writeDurably(files, `${folder}/check.sh`, AUDITOR_SCRIPT, { mode: 0o755 });
}
