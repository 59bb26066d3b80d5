import { resolve } from 'node:path';
import { decodeEnvelope, encodeBase64, isProblem, parseVkey } from '#formats';
import { digestOf, errorCode, type Files, hexOf, type Implementation, isObject, type Reason } from '#kernel';
import {
  judgeHead,
  leafHash,
  type LedgerView,
  openCheckpoint,
  openLedger,
  openWitness,
  parseTreeHead,
  readHomeLedger,
  type Seen,
  verifyInclusion,
  understood,
} from '#ledger';
import { homePath, openHome, readIfThere } from '#system';
import { readRoots, rootOfPersons } from '#trust';
import { gateFault } from '../faults.ts';
import type { ReceiveInput, ReceiveOutput } from '../operations.ts';
import { readPaper } from '../outward/paper.ts';
import { bytesOf, parseRelease, type ReleaseText } from '../outward/release-text.ts';
import { judgeSignatures } from '../outward/signatures.ts';

const LIMIT = 64 * 1024 * 1024;
const SCANNED_LIMIT = 4 * 1024 * 1024;
const SEEN = 'sallyport/receipt-seen/v1';

/**
 * Outside, as a witness of the inside's log: the receipt must be signed by approvers of the root, continue what was seen
 * of that log, prove each entry that it speaks of, and speak of this side's log as it is.
 */
export const receiveVerb: Implementation<ReceiveInput, ReceiveOutput> = {
  async run(input, world) {
    const { files, cwd, clock } = world;
    const home = await openHome(files, homePath(world, input.home === undefined ? {} : { home: input.home }));
    if ((input.receipt === undefined) === (input.qr === undefined)) throw gateFault('gate.no-receipt');
    const path = resolve(cwd, input.receipt ?? input.qr ?? '');
    const given = await readGiven(files, path, input.qr !== undefined);
    const now = clock.now();
    const own = (await readRoots(files, home.path)).at(-1);
    const effective = await rootOfPersons(files, home);
    const ledger = await openLedger(files, home, clock);
    try {
      const nothing = {
        site: '',
        level: '',
        approvers: [],
        outcomes: [],
        ledger: { size: ledger.size, root: ledger.root },
      };
      const refuse = (reasons: readonly Reason[], over: Partial<ReceiveOutput> = {}): ReceiveOutput => ({
        ...nothing,
        verdict: 'refused',
        reasons: [...reasons],
        ...over,
      });
      if ('reasons' in given) return refuse(given.reasons);
      const bytes = given.release;
      const envelope = decodeEnvelope(bytes);
      if (isProblem(envelope)) return refuse([wrong(envelope.where, envelope.detail)]);
      const judged = judgeSignatures(effective, bytes, 1, now);
      if (judged.payload === undefined) {
        return refuse([{ code: 'gate.receipt-unsigned', where: '', detail: '' }, ...judged.reasons]);
      }
      const text = parseRelease(judged.payload);
      if ('ok' in text) return refuse([wrong(text.where, text.detail)]);
      if (text.kind !== 'receipt') return refuse([wrong('', `It is a ${text.kind} and not a receipt.`)]);
      const about = { site: text.site, level: text.level ?? '', approvers: [...judged.holders] };
      const head = headOf(text);
      if ('code' in head) return refuse([head], about);

      const known = new Map<string, number>();
      let again = false;
      for await (const { type, happening } of understood(ledger.records())) {
        if (type !== SEEN || happening === undefined) continue;
        const { high } = happening.predicate;
        if (happening.subject[0]?.digest.sha256 === hexOf(digestOf(bytes))) again = true;
        if (isObject(high) && typeof high['origin'] === 'string' && typeof high['size'] === 'number') {
          known.set(high['origin'], Math.max(known.get(high['origin']) ?? 0, high['size']));
        }
      }
      const witness = await openWitness(files, home, own?.root.site ?? '', known);
      const observation = judgeHead(witness.seen(head.origin), head, head.proofs);
      const against = 'reason' in observation ? [observation.reason] : [];
      const outcomes = outcomesOf(text, head);
      if (!Array.isArray(outcomes)) return refuse([outcomes], about);
      const mine = await judgeSeen(text, await readHomeLedger(files, home));
      if ('code' in mine) return refuse([mine], about);
      if (against.length > 0) return refuse(against, about);
      const high = { origin: head.origin, size: head.size, root: encodeBase64(head.root) };
      const answer = { ...nothing, ...about, reasons: [], high, outcomes, ...mine };
      if (again) return { ...answer, verdict: 'already-here' };

      const grown = observation.outcome !== 'older';
      const checkpoint = grown ? Buffer.from(await witness.cosign(head, now)).toString('utf8') : '';
      const { index } = await ledger.append({
        predicateType: SEEN,
        subject: [{ name: 'receipt', digest: { sha256: hexOf(digestOf(bytes)) } }],
        predicate: {
          ...about,
          high,
          witness: witness.signer.name,
          checkpoint,
          ...mine,
          outcomes: outcomes.map(({ channel, sequence, index: bundle, verdict, codes }) => ({
            channel,
            sequence,
            index: bundle,
            verdict,
            codes: [...codes],
          })),
        },
      });
      return { ...answer, verdict: 'received', ledger: { size: ledger.size, root: ledger.root, index } };
    } finally {
      await ledger.close();
    }
  },

  exit: ({ verdict }) => (verdict === 'refused' ? 1 : 0),

  show({ verdict, reasons, site, level, approvers, high, outcomes, seen }, style) {
    const lines = [verdict === 'refused' ? style.bad(verdict) : style.good(verdict)];
    for (const { code, where, detail } of reasons) lines.push(`  ${style.bold(code)} ${where}: ${detail}`);
    if (site !== '') lines.push(`  from ${site}, level ${level}, signed by ${approvers.join(', ')}`);
    if (high !== undefined) lines.push(`  its log: ${high.origin}, size ${high.size}`);
    if (seen !== undefined) lines.push(`  it has seen our log up to size ${seen}`);
    for (const one of outcomes) {
      lines.push(`  ${one.channel} ${one.sequence}  ${one.verdict} ${one.codes.join(', ')}  ${one.index.slice(7, 23)}`);
    }
    return lines.join('\n');
  },
};

/** The receipt from its file or from paper; it is not judged yet. Throws gate.not-a-release where there is no file. */
async function readGiven(
  files: Files,
  path: string,
  isPaper: boolean,
): Promise<{ readonly release: Uint8Array } | { readonly reasons: readonly Reason[] }> {
  const limit = isPaper ? SCANNED_LIMIT : LIMIT;
  try {
    const bytes = await readIfThere(files, path, limit);
    if (bytes === undefined) throw gateFault('gate.not-a-release', { where: path, detail: 'There is no such file.' });
    return isPaper ? readPaper(Buffer.from(bytes).toString('latin1')) : { release: bytes };
  } catch (error) {
    if (errorCode(error) !== 'EFBIG') throw error;
    const code = isPaper ? 'gate.paper-wrong' : 'gate.receipt-wrong';
    return { reasons: [{ code, where: path, detail: `It has more than ${limit} bytes.` }] };
  }
}

function wrong(where: string, detail: string): Reason {
  return { code: 'gate.receipt-wrong', where, detail };
}

/** The other side's log as the receipt has it; its key is the one that approvers signed, and must be of their site. */
function headOf({ site, lines }: ReleaseText): Seen | Reason {
  const field = (keyword: string): string => lines.find(([word]) => word === keyword)?.[1] ?? '';
  const vkey = parseVkey(field('vkey'));
  if (isProblem(vkey)) return wrong('vkey', vkey.detail);
  if (!vkey.name.startsWith(`${site}/`)) return wrong('vkey', `It is of ${vkey.name}, the receipt of ${site}.`);
  const checkpoint = bytesOf(field('checkpoint'));
  const head = openCheckpoint(checkpoint, vkey);
  if ('code' in head) return wrong('checkpoint', head.detail);
  const proofs = new Map<number, Uint8Array[]>();
  let current: Uint8Array[] | undefined;
  for (const [keyword, value = ''] of lines) {
    if (keyword === 'from') proofs.set(Number(value), (current = []));
    else if (keyword === 'hash') current?.push(bytesOf(value));
  }
  return { ...head, checkpoint, proofs };
}

function outcomesOf({ lines }: ReleaseText, head: Seen): ReceiveOutput['outcomes'] | Reason {
  const outcomes: ReceiveOutput['outcomes'] = [];
  for (const [number, [keyword, ...fields]] of lines.entries()) {
    if (keyword !== 'outcome') continue;
    const [channel = '', sequence = '', index = '', verdict = '', at = '', ...codes] = fields;
    const [next, entry = '', ...path] = lines[number + 1] ?? [''];
    const where = `outcome of ${channel} ${sequence}`;
    if (next !== 'entry') return wrong(where, 'No proof follows it.');
    if (!verifyInclusion(Number(at), head.size, leafHash(bytesOf(entry)), path.map(bytesOf), head.root)) {
      return wrong(where, `Entry ${at} is not in the log that the checkpoint signs.`);
    }
    outcomes.push({ channel, sequence: Number(sequence), index, verdict, codes });
  }
  return outcomes;
}

/** How much of our own log the other side has seen, and that what it has seen is what we have. */
async function judgeSeen({ lines }: ReleaseText, own: LedgerView): Promise<{ seen?: number } | Reason> {
  const ownKey = own.origin;
  for (const [keyword, field = ''] of lines) {
    if (keyword !== 'seen') continue;
    const bytes = bytesOf(field);
    const text = Buffer.from(bytes).subarray(0, Buffer.from(bytes).lastIndexOf('\n\n') + 1);
    const head = parseTreeHead(text);
    if (isProblem(head)) return wrong('seen', head.detail);
    if (head.origin !== ownKey) continue;
    if (head.size > own.size) {
      return {
        code: 'ledger.rewound',
        where: head.origin,
        detail: `They saw size ${head.size}; it has ${own.size} here.`,
      };
    }
    if ((await own.rootAt(head.size)) !== encodeBase64(head.root)) {
      return { code: 'ledger.forked', where: head.origin, detail: `At size ${head.size} they saw another root.` };
    }
    return { seen: head.size };
  }
  return {};
}
