import { basename, resolve } from 'node:path';
import { needsNewer, parseStrictJson } from '#formats';
import { digestOf, hexOf, type Implementation, isObject, printable } from '#kernel';
import { openLog } from '#ledger';
import { openStore } from '#store';
import { homePath, openHome, writeDurably } from '#system';
import { keyNames, effectiveRoot, ledgerSigner, passphrasesOf, readRoots, roleSigners, signaturesMade } from '#trust';
import { admitFault, reason } from '../faults.ts';
import { admittedBundle } from '../named-bundle.ts';
import type { PromoteInput, PromoteOutput } from '../operations.ts';
import { NEGATIVE, signPromotion } from '../promotion.ts';
import { recoveredDatabase } from '../recover.ts';

const WAIT = 30 * 60 * 1000;
const RESULT_LIMIT = 256 * 1024 ** 2;
const PROMOTED_PREDICATE = 'sallyport/promoted/v1';

/** Signs what a ring has learned about a bundle, for the next ring to require. */
export const promoteVerb: Implementation<PromoteInput, PromoteOutput> = {
  async run(input, world) {
    const { files, cwd, clock } = world;
    const home = await openHome(files, homePath(world, input.home === undefined ? {} : { home: input.home }));
    const effective = await effectiveRoot(
      files,
      home.path,
      input.root === undefined ? undefined : resolve(cwd, input.root),
    );
    const paths = keyNames(cwd, input.key);
    const passphrases = passphrasesOf(world, input.passphraseFile);
    const signers = await roleSigners(files, effective.root, 'approver', paths, passphrases);
    if (signers.length === 0) throw admitFault('admit.no-key', { where: '--key' });
    const site = (await readRoots(files, home.path)).at(-1)?.root.site ?? '';
    const results: { name: string; sha256: string; verdict: string }[] = [];
    for (const text of input.result ?? []) {
      // KIND=FILE: by its kind the next ring asks for it.
      const [, kind, named = text] = /^([a-z][a-z0-9-]{0,31})=(.+)$/s.exec(text) ?? [];
      const path = resolve(cwd, named);
      if ((await files.look(path))?.kind !== 'file') throw admitFault('admit.no-result', { where: path });
      const bytes = await files.read(path, RESULT_LIMIT);
      const parsed = parseStrictJson(bytes, { size: RESULT_LIMIT });
      const said = parsed.ok && isObject(parsed.value) ? parsed.value : {};
      // A report of ours that we cannot read says nothing, whatever word stands where the verdict was.
      const ours = said['sallyport-report'];
      const unread = ours !== undefined && needsNewer(ours, said['critical']) !== undefined;
      const verdict = unread ? 'unknown' : said['verdict'];
      results.push({
        name: kind ?? printable(basename(path)).slice(0, 200),
        sha256: hexOf(digestOf(bytes)),
        verdict: typeof verdict === 'string' ? printable(verdict).slice(0, 100) : '',
      });
    }
    const ledger = await openLog(files, home.ledger, await ledgerSigner(files, home), clock, { wait: WAIT });
    const store = await openStore(files, home);
    const database = await recoveredDatabase(files, home, ledger, async () => store);
    try {
      const one = admittedBundle(database, input.bundle, home.path);
      const answer = (verdict: PromoteOutput['verdict'], over: Partial<PromoteOutput> = {}): PromoteOutput => ({
        verdict,
        reasons: [],
        bundle: one.bundle,
        ring: input.ring,
        site,
        results,
        ledger: { size: ledger.size, root: ledger.root },
        ...over,
      });
      const bad = results.filter(({ verdict }) => NEGATIVE.test(verdict));
      if (bad.length > 0) {
        const reasons = bad.map(({ name, verdict }) => reason('admit.result-negative', name, `It says ${verdict}.`));
        return answer('refused', { reasons });
      }
      // What the seal says about rings stands in the entry that admitted it.
      const rings = await ringsOf(ledger, one.ledgerIndex);
      if (rings.get(input.ring)?.includes(site) !== true) {
        const detail = `The seal puts ${[...rings].map(([ring, sites]) => `${sites.join(', ')} into ${ring}`).join('; ') || 'no site into a ring'}.`;
        return answer('refused', { reasons: [reason('admit.not-of-ring', input.ring, detail)] });
      }
      const proof = Buffer.from(await ledger.prove(one.ledgerIndex)).toString('base64');
      const envelope = signPromotion(
        {
          index: one.bundle,
          ring: input.ring,
          site,
          channel: one.channel,
          sequence: one.sequence,
          receipt: { origin: (await ledgerSigner(files, home)).name, index: one.ledgerIndex, proof },
          results,
        },
        signers,
      );
      const { index } = await ledger.append({
        predicateType: PROMOTED_PREDICATE,
        subject: [{ name: 'index.jsonl', digest: { sha256: hexOf(one.bundle) } }],
        predicate: {
          ring: input.ring,
          channel: one.channel,
          sequence: one.sequence,
          approvers: [...new Set(signers.map(({ holder }) => holder))],
          signed: signaturesMade(signers),
          promotion: digestOf(envelope),
          results: results.map((result) => ({ ...result })),
        },
      });
      const path = resolve(cwd, input.out);
      await writeDurably(files, path, envelope);
      return answer('promoted', { path, ledger: { size: ledger.size, root: ledger.root, index } });
    } finally {
      database?.close();
      await ledger.close();
    }
  },

  exit: ({ verdict }) => (verdict === 'promoted' ? 0 : 1),

  show({ verdict, bundle, ring, site, reasons, path, results }, style) {
    return [
      verdict === 'promoted' ? style.good(verdict) : style.bad(verdict),
      ...reasons.map(({ code, where, detail }) => `  ${style.bold(code)} at ${where}: ${detail}`),
      `  ${bundle} in ring ${ring} at ${site}`,
      ...results.map(({ name, verdict: said }) => `  ${name}: ${said === '' ? 'says no verdict' : said}`),
      ...(path === undefined ? [] : [`  carry ${path} to the next ring: admit --promotion FILE`]),
    ].join('\n');
  },
};

async function ringsOf(
  ledger: Awaited<ReturnType<typeof openLog>>,
  at: number,
): Promise<ReadonlyMap<string, readonly string[]>> {
  for await (const { happening } of ledger.records(at)) {
    const rings = happening?.predicate['rings'];
    const found = new Map<string, readonly string[]>();
    for (const one of Array.isArray(rings) ? rings : []) {
      if (!isObject(one) || typeof one['ring'] !== 'string' || !Array.isArray(one['sites'])) continue;
      found.set(
        one['ring'],
        one['sites'].filter((site) => typeof site === 'string'),
      );
    }
    return found;
  }
  return new Map();
}
