import { resolve } from 'node:path';
import { type Implementation, printable } from '#kernel';
import { homePath, openHome, readIfThere } from '#system';
import { rootOfPersons } from '#trust';
import { judgeChain, parseChain } from '../custody-chain.ts';
import { custodyFault } from '../faults.ts';
import { volumeAt } from '../io/volume.ts';
import type { CustodyVerifyInput, CustodyVerifyOutput } from '../operations.ts';

const CHAIN_LIMIT = 16 * 1024 * 1024;

export const custodyVerifyVerb: Implementation<CustodyVerifyInput, CustodyVerifyOutput> = {
  async run(input, world) {
    const { files, cwd } = world;
    const home = await openHome(files, homePath(world, input.home === undefined ? {} : { home: input.home }));
    const named = input.root === undefined ? undefined : resolve(cwd, input.root);
    const { root } = await rootOfPersons(files, home, named);
    const path = resolve(cwd, input.chain);
    const bytes = await readIfThere(files, path, CHAIN_LIMIT);
    const links = bytes === undefined ? undefined : parseChain(bytes);
    if (links === undefined) throw custodyFault('custody.chain-unreadable', { where: path });
    const volumes: string[] = [];
    for (const name of input.volume) volumes.push((await volumeAt(world, resolve(cwd, name))).sha256);
    const judged = judgeChain(root, links, {
      volumes,
      ...(input.medium === undefined ? {} : { medium: input.medium }),
      ...(input.seal === undefined ? {} : { seals: input.seal }),
    });
    return {
      verdict: judged.reasons.length === 0 ? 'verified' : 'unverified',
      reasons: [...judged.reasons],
      links: judged.links.map(({ event, medium, seals, from, to, site, at }) => ({
        event,
        medium,
        seals,
        from,
        to,
        site,
        at,
      })),
    };
  },
  exit: ({ verdict }) => (verdict === 'verified' ? 0 : 1),
  show({ verdict, reasons, links }, style) {
    const lines = [verdict === 'verified' ? style.good(verdict) : style.bad(verdict)];
    for (const { code, where, detail } of reasons) lines.push(`  ${style.bold(code)} ${where}: ${detail}`);
    for (const { at, event, from, to, medium, seals, site } of links) {
      const hands = from === to ? `by ${printable(to)}` : `from ${printable(from)} to ${printable(to)}`;
      const sealed = seals.length === 0 ? '' : `, seals ${seals.map((one) => printable(one)).join(', ')}`;
      lines.push(`  ${at}  ${event} ${hands} at ${printable(site)}, medium ${medium}${sealed}`);
    }
    return lines.join('\n');
  },
};
