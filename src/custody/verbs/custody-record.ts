import { resolve } from 'node:path';
import { type Implementation, instantOf, printable } from '#kernel';
import { openLedger } from '#ledger';
import { homePath, openHome, readIfThere, writeDurably } from '#system';
import { keyNames, passphrasesOf, readRoots, roleSigners, rootOfPersons, signaturesMade } from '#trust';
import { formatChain, linkDigest, parseChain } from '../custody-chain.ts';
import { CUSTODY_PREDICATE, HANDS, readCustody, signCustody } from '../custody-statement.ts';
import { custodyFault } from '../faults.ts';
import { volumeAt } from '../io/volume.ts';
import { isSerial } from '../medium.ts';
import type { CustodyRecordInput, CustodyRecordOutput } from '../operations.ts';

const CHAIN_LIMIT = 16 * 1024 * 1024;

export const custodyRecordVerb: Implementation<CustodyRecordInput, CustodyRecordOutput> = {
  async run(input, world) {
    const { files, cwd, clock } = world;
    const { event, medium, to } = input;
    if (!isSerial(medium)) throw custodyFault('custody.serial', { where: printable(medium) });
    const home = await openHome(files, homePath(world, input.home === undefined ? {} : { home: input.home }));
    const own = (await readRoots(files, home.path)).at(-1);
    const named = input.root === undefined ? undefined : resolve(cwd, input.root);
    const effective = await rootOfPersons(files, home, named);
    const path = resolve(cwd, input.chain);
    const bytes = await readIfThere(files, path, CHAIN_LIMIT);
    const links = bytes === undefined ? [] : parseChain(bytes);
    if (links === undefined) throw custodyFault('custody.chain-unreadable', { where: path });
    const last = links.at(-1);
    const before = last === undefined ? undefined : readCustody(last);
    const from = input.from ?? (typeof before === 'string' ? undefined : before?.to) ?? to;
    const keys = keyNames(cwd, input.key);
    if (keys.length === 0) throw custodyFault('custody.no-key', { where: '--key' });
    const passphrases = passphrasesOf(world, input.passphraseFile);
    const signers = await roleSigners(files, effective.root, HANDS, keys, passphrases);
    const stranger = signers.find(({ holder }) => holder !== from && holder !== to);
    if (stranger !== undefined) throw custodyFault('custody.person', { where: stranger.holder });
    const volumes = [];
    for (const name of input.volume) volumes.push(await volumeAt(world, resolve(cwd, name)));
    const link = signCustody(
      {
        event,
        volumes,
        medium,
        seals: [...(input.seal ?? [])].sort(),
        from,
        to,
        site: own?.root.site ?? '',
        at: instantOf(clock.now()),
        previous: last === undefined ? '' : linkDigest(last),
      },
      signers,
    );
    const ledger = await openLedger(files, home, clock);
    try {
      const { index } = await ledger.append({
        predicateType: CUSTODY_PREDICATE,
        subject: volumes.map(({ name, sha256 }) => ({ name, digest: { sha256 } })),
        predicate: {
          event,
          medium,
          from,
          to,
          link: linkDigest(link),
          envelope: Buffer.from(link).toString('utf8'),
          signed: signaturesMade(signers),
        },
      });
      await writeDurably(files, path, formatChain([...links, link]));
      return {
        event,
        chain: path,
        links: links.length + 1,
        volumes,
        signed: [...new Set(signers.map(({ holder }) => holder))],
        ledger: { size: ledger.size, root: ledger.root, index },
      };
    } finally {
      await ledger.close();
    }
  },
  exit: () => 0,
  show: ({ event, chain, links, signed, ledger }, style) =>
    `${style.good(event)}, link ${links} of ${chain}, signed by ${signed.join(' and ')}, entry ${ledger.index ?? 0}`,
};
