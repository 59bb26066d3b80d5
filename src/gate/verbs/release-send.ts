import { resolve } from 'node:path';
import { encodeEnvelope, isProblem, parseNote } from '#formats';
import { digestOf, hexOf, type Implementation, type Reason } from '#kernel';
import { openLedger, parseTreeHead } from '#ledger';
import { homePath, openHome, writeDurably } from '#system';
import { effectiveRoot } from '#trust';
import type { ReleaseSendInput, ReleaseSendOutput } from '../operations.ts';
import { readReleasePolicy } from '../outward/release-policy.ts';
import { bytesOf, type ReleaseText } from '../outward/release-text.ts';
import { judgeSignatures, readDraft, readSignatures } from '../outward/signatures.ts';
import { judgeRelease } from './release-draft.ts';

export const releaseSendVerb: Implementation<ReleaseSendInput, ReleaseSendOutput> = {
  async run(input, world) {
    const { files, cwd, clock } = world;
    const home = await openHome(files, homePath(world, input.home === undefined ? {} : { home: input.home }));
    const policy = await readReleasePolicy(files, home.path);
    const effective = await effectiveRoot(
      files,
      home.path,
      input.root === undefined ? undefined : resolve(cwd, input.root),
    );
    const draft = resolve(cwd, input.draft);
    const { bytes, text } = await readDraft(files, draft);
    const signed = await readSignatures(files, draft);
    const reasons: Reason[] = judgeRelease(policy, text, bytes);
    let approvers: readonly string[] = [];
    const envelope = signed === undefined ? undefined : encodeEnvelope(signed);
    if (signed === undefined || envelope === undefined) {
      reasons.push({
        code: 'gate.awaiting-approval',
        where: '',
        detail: `0 of ${policy.approvers} people have read it.`,
      });
    } else if (!Buffer.from(signed.payload).equals(bytes)) {
      reasons.push({ code: 'gate.release-changed', where: draft, detail: 'Its bytes are not those that were signed.' });
    } else {
      const judged = judgeSignatures(effective, envelope, policy.approvers, clock.now());
      approvers = judged.holders;
      reasons.push(...judged.reasons);
    }
    const ledger = await openLedger(files, home, clock);
    try {
      const standing = { size: ledger.size, root: ledger.root };
      if (reasons.length > 0 || envelope === undefined) {
        return { verdict: 'refused', reasons, approvers: [...approvers], ledger: standing };
      }
      const path = resolve(cwd, input.out);
      // Recorded before it exists: what left without an entry would be what nobody knows of.
      const { index } = await ledger.append({
        predicateType: 'sallyport/released/v1',
        subject: [{ name: 'release', digest: { sha256: hexOf(digestOf(bytes)) } }],
        predicate: {
          kind: text.kind,
          ...(text.level === undefined ? {} : { level: text.level }),
          bytes: bytes.length,
          approvers: [...approvers],
          envelope: digestOf(envelope),
          size: checkpointSize(text),
        },
      });
      await writeDurably(files, path, envelope);
      return {
        verdict: 'released',
        reasons: [],
        approvers: [...approvers],
        path,
        bytes: envelope.length,
        ledger: { size: ledger.size, root: ledger.root, index },
      };
    } finally {
      await ledger.close();
    }
  },

  exit: ({ verdict }) => (verdict === 'released' ? 0 : 1),

  show({ verdict, reasons, approvers, path, bytes }, style) {
    return [
      verdict === 'released' ? `${style.good(verdict)} ${path ?? ''}: ${bytes ?? 0} bytes` : style.bad(verdict),
      ...reasons.map(({ code, detail }) => `  ${style.bold(code)}: ${detail}`),
      `  read by ${approvers.length === 0 ? 'nobody' : approvers.join(', ')}`,
    ].join('\n');
  },
};

/** How much of this side's log the other side knows when it has this. */
function checkpointSize({ lines }: ReleaseText): number {
  const field = lines.find(([keyword]) => keyword === 'checkpoint')?.[1];
  const note = field === undefined ? undefined : parseNote(bytesOf(field));
  const head = note === undefined || isProblem(note) ? undefined : parseTreeHead(note.text);
  return head === undefined || isProblem(head) ? 0 : head.size;
}
