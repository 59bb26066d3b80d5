import { resolve } from 'node:path';
import { digestOf, hexOf, type Implementation } from '#kernel';
import { openLog, ROLLED_BACK_PREDICATE } from '#ledger';
import { parseLock } from '#project';
import { openStore } from '#store';
import { homePath, openHome } from '#system';
import { keyNames, effectiveRoot, ledgerSigner, passphrasesOf, readRoots, roleSigners, signaturesMade } from '#trust';
import { type Approval, judgeApprovals, signApproval } from '../approval.ts';
import { admitFault } from '../faults.ts';
import { admittedBundle } from '../named-bundle.ts';
import type { RollbackInput, RollbackOutput } from '../operations.ts';
import { lookupKey, recoveredDatabase } from '../recover.ts';

const WAIT = 30 * 60 * 1000;
const LOCK_LIMIT = 64 * 1024 ** 2;

/**
 * Moves a channel back to a bundle that was admitted before. What later bundles brought stays and is served under its
 * own names; what both have is served as the older one has it. The highest number that was seen stays what it was.
 */
export const rollbackVerb: Implementation<RollbackInput, RollbackOutput> = {
  async run(input, world) {
    const { files, cwd, clock } = world;
    const home = await openHome(files, homePath(world, input.home === undefined ? {} : { home: input.home }));
    const effective = await effectiveRoot(
      files,
      home.path,
      input.root === undefined ? undefined : resolve(cwd, input.root),
    );
    const paths = keyNames(cwd, input.key);
    const signers = await roleSigners(
      files,
      effective.root,
      'approver',
      paths,
      passphrasesOf(world, input.passphraseFile),
    );
    const site = (await readRoots(files, home.path)).at(-1)?.root.site ?? '';
    const ledger = await openLog(files, home.ledger, await ledgerSigner(files, home), clock, { wait: WAIT });
    const store = await openStore(files, home);
    const database = await recoveredDatabase(files, home, ledger, async () => store);
    try {
      const target = admittedBundle(database, input.bundle, home.path);
      if (database === undefined) throw new Error('what was admitted stands in a database');
      const { channel, sequence, lock } = target;
      const head = database.head(channel);
      const from = head?.sequence ?? sequence;
      const answer = (verdict: RollbackOutput['verdict'], over: Partial<RollbackOutput> = {}): RollbackOutput => ({
        verdict,
        reasons: [],
        channel,
        from,
        to: verdict === 'rolled-back' ? sequence : from,
        approvers: [],
        ledger: { size: ledger.size, root: ledger.root },
        ...over,
      });
      if (head?.lock === lock) return answer('already-here');

      const approval: Approval = { decision: 'rollback', index: target.bundle, channel, sequence, site, from };
      const holders = [...new Set(signers.map((signer) => signer.holder))];
      const envelopes = holders.map((holder) =>
        signApproval(
          approval,
          signers.filter((signer) => signer.holder === holder),
        ),
      );
      // Who sealed it is long known; what is judged here is the wish to go back.
      const judged = judgeApprovals(effective, approval, envelopes, [], clock.now());
      if (judged.reasons.length > 0) {
        return answer('refused', { reasons: [...judged.reasons], approvers: [...judged.holders] });
      }
      const bytes = await store.read(lock, LOCK_LIMIT);
      if (bytes === undefined) throw admitFault('admit.lock-lost', { where: home.store, detail: `It was ${lock}.` });
      // A key of its own: the same bundle may be rolled back to more than once.
      const key = digestOf(`${envelopes.map((one) => digestOf(one)).join(' ')} ${ledger.size}`);
      const { index } = await ledger.append({
        predicateType: ROLLED_BACK_PREDICATE,
        subject: [{ name: 'index.jsonl', digest: { sha256: hexOf(target.bundle) } }],
        predicate: {
          key,
          lock,
          channel,
          sequence,
          sealed: target.sealed,
          from,
          approvers: [...judged.holders],
          signed: signaturesMade(signers),
          approvals: envelopes.map((one) => Buffer.from(one).toString('base64')),
        },
      });
      database.publish({
        bundle: key,
        lock,
        sequence,
        channel,
        sealed: target.sealed,
        ledgerIndex: index,
        rows: parseLock(bytes, 'sallyport.lock').rows,
        lookupKey,
        onTop: true,
      });
      return answer('rolled-back', {
        approvers: [...judged.holders],
        ledger: { size: ledger.size, root: ledger.root, index },
      });
    } finally {
      database?.close();
      await ledger.close();
    }
  },

  exit: ({ verdict }) => (verdict === 'refused' ? 1 : 0),

  show({ verdict, channel, from, to, approvers, reasons, ledger }, style) {
    const lines = [verdict === 'refused' ? style.bad(verdict) : style.good(verdict)];
    for (const { code, detail } of reasons) lines.push(`  ${style.bold(code)}: ${detail}`);
    lines.push(
      verdict === 'rolled-back'
        ? `  channel ${channel} moved from sequence ${from} back to ${to}, approved by ${approvers.join(', ')}`
        : `  channel ${channel} stands at sequence ${from}`,
      `  ledger: size ${ledger.size}, root ${ledger.root}`,
    );
    return lines.join('\n');
  },
};
