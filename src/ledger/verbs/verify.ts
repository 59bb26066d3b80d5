import { dirname, resolve } from 'node:path';
import type { Vkey } from '#formats';
import { homeAt, type Implementation, printable, type World } from '#kernel';
import { homePath } from '#system';
import { ledgerFault } from '../faults.ts';
import type { VerifyLedgerInput, VerifyLedgerOutput } from '../operations.ts';
import { readVkeyFile, vkeyPath } from '../reading.ts';
import { unsignedReport, verifyLedger } from '../verification.ts';

export const verifyVerb: Implementation<VerifyLedgerInput, VerifyLedgerOutput> = {
  async run(input, world) {
    const home = homeAt(homePath(world, input.home === undefined ? {} : { home: input.home }));
    const folder = input.folder === undefined ? home.ledger : resolve(world.cwd, input.folder);
    if ((await world.files.look(folder)) === undefined) throw ledgerFault('ledger.missing', { where: folder });
    const found = await keyFor(folder, input, world);
    if (found === undefined) {
      // Where nothing is signed no key could change the answer.
      const unsigned = await unsignedReport(world.files, folder);
      if (unsigned !== undefined) return { ...unsigned, folder };
      throw ledgerFault('ledger.no-key', { where: folder });
    }
    const report = await verifyLedger(world.files, folder, found.vkey);
    return { ...report, folder, key: { name: found.vkey.name, path: found.path } };
  },

  exit: ({ verdict }) => (verdict === 'verified' ? 0 : 1),

  show({ verdict, reasons, size, root, origin, statements, folder, key }, style) {
    const lines = [
      verdict === 'verified'
        ? `${style.good('verified')} ${printable(folder)}`
        : `${style.bad('unverified')} ${printable(folder)}`,
    ];
    for (const { code, where, detail } of reasons) {
      lines.push(`  ${style.bad(code)} ${printable(where)}${where === '' ? '' : ': '}${printable(detail)}`);
    }
    if (origin !== '') {
      lines.push(`  origin ${printable(origin)}`, `  size   ${size} (${statements} statements)`, `  root   ${root}`);
    }
    if (key !== undefined) lines.push(style.dim(`  by the key of ${printable(key.name)} in ${printable(key.path)}`));
    return lines.join('\n');
  },
};

/**
 * The key that is named, else that of the home that is named, else that of the home around the folder. The last is only
 * as good as the folder itself, so the answer says where the key was found.
 */
async function keyFor(
  folder: string,
  input: VerifyLedgerInput,
  world: World,
): Promise<{ vkey: Vkey; path: string } | undefined> {
  const paths =
    input.vkey !== undefined
      ? [resolve(world.cwd, input.vkey)]
      : input.home !== undefined
        ? [vkeyPath(homeAt(homePath(world, { home: input.home })))]
        : [vkeyPath(homeAt(dirname(folder))), vkeyPath(homeAt(homePath(world)))];
  for (const path of paths) {
    const vkey = await readVkeyFile(world.files, path);
    if (vkey !== undefined) return { vkey, path };
  }
  if (input.vkey !== undefined || input.home !== undefined) {
    throw ledgerFault('ledger.no-key', { where: paths.join(', ') });
  }
  return undefined;
}
