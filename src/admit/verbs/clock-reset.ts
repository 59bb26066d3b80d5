import { resolve } from 'node:path';
import { encodeStatement, STATEMENT_PAYLOAD_TYPE } from '#formats';
import { digestOf, hexOf, type Implementation, instantOf, isInstant, printable } from '#kernel';
import { openLog } from '#ledger';
import { openStore } from '#store';
import { homePath, openHome } from '#system';
import {
  effectiveRoot,
  keyNames,
  ledgerSigner,
  passphrasesOf,
  readRoots,
  roleSigners,
  signaturesMade,
  signEnvelope,
  verifyEnvelope,
} from '#trust';
import { nothingInside } from '../arrival.ts';
import { clockFloor, FLOOR_RESET_PREDICATE, readFloorReset, writeFloorReset } from '../clock-floor.ts';
import { admitFault } from '../faults.ts';
import type { ClockResetInput, ClockResetOutput } from '../operations.ts';
import { recoveredDatabase } from '../recover.ts';

const WAIT = 30 * 60 * 1000;

/**
 * A bundle that was admitted by a clock that ran ahead leaves a floor that no right clock reaches. Whoever may change the
 * root may set it anew: the threshold of its holders signs old and new floor and the size of the ledger, which has the
 * entry before anything is changed.
 */
export const clockResetVerb: Implementation<ClockResetInput, ClockResetOutput> = {
  async run(input, world) {
    const { files, cwd, clock } = world;
    const home = await openHome(files, homePath(world, input.home === undefined ? {} : { home: input.home }));
    const rootFile = input.root === undefined ? undefined : resolve(cwd, input.root);
    const effective = await effectiveRoot(files, home.path, rootFile);
    const now = clock.now();
    const to = input.to ?? instantOf(now);
    const { reason } = input;
    if (!isInstant(to) || Date.parse(to) > now) {
      throw admitFault('admit.floor-time', { where: '--to', detail: `The clock says ${instantOf(now)}.` });
    }
    if (reason.trim() === '' || reason.length > 256 || printable(reason) !== reason) {
      throw admitFault('admit.floor-time', { where: '--reason' });
    }
    const passphrases = passphrasesOf(world, input.passphraseFile);
    const signers = await roleSigners(files, effective.root, 'root', keyNames(cwd, input.key), passphrases);
    if (signers.length === 0) throw admitFault('admit.no-key', { where: '--key' });
    const site = (await readRoots(files, home.path)).at(-1)?.root.site ?? '';
    const ledger = await openLog(files, home.ledger, await ledgerSigner(files, home), clock, { wait: WAIT });
    const store = await openStore(files, home);
    const database = await recoveredDatabase(files, home, ledger, async () => store);
    try {
      const from = instantOf(clockFloor(database ?? nothingInside, await readFloorReset(files, home, ledger)));
      const predicate = { version: '1.0', critical: [], site, from, floor: to, size: ledger.size, reason };
      const head = digestOf(`${ledger.size} ${ledger.root}`);
      const subject = [{ name: 'ledger', digest: { sha256: hexOf(head) } }];
      const payload = encodeStatement({ predicateType: FLOOR_RESET_PREDICATE, subject, predicate });
      const envelope = signEnvelope(STATEMENT_PAYLOAD_TYPE, payload, signers);
      const options = { now, expectRehearsal: effective.rehearsal };
      const judged = verifyEnvelope(effective.root, 'root', STATEMENT_PAYLOAD_TYPE, envelope, options);
      const reasons = [...(effective.refusal === undefined ? [] : [effective.refusal]), ...judged.reasons];
      const answer = { from, to, holders: [...judged.holders], ledger: { size: ledger.size, root: ledger.root } };
      if (reasons.length > 0) return { ...answer, verdict: 'refused', reasons, to: from };
      const { index } = await ledger.append({
        predicateType: FLOOR_RESET_PREDICATE,
        subject,
        predicate: {
          ...predicate,
          holders: [...judged.holders],
          envelope: Buffer.from(envelope).toString('base64'),
          signed: signaturesMade(signers),
        },
      });
      await writeFloorReset(files, home, { index, floor: to });
      return { ...answer, verdict: 'reset', reasons, ledger: { size: ledger.size, root: ledger.root, index } };
    } finally {
      database?.close();
      await ledger.close();
    }
  },
  exit: ({ verdict }) => (verdict === 'reset' ? 0 : 1),
  show({ verdict, from, to, holders, reasons }, style) {
    return [
      verdict === 'reset' ? style.good(verdict) : style.bad(verdict),
      ...reasons.map(({ code, detail }) => `  ${style.bold(code)}: ${detail}`),
      verdict === 'reset' ? `  floor ${from} → ${to}, by ${holders.join(', ')}` : `  the floor stays ${from}`,
    ].join('\n');
  },
};
