import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import { decodeEnvelope, isProblem } from '#formats';
import { digestOf, type Implementation } from '#kernel';
import { readHomeLedger } from '#ledger';
import { homePath, openHome, readIfThere, writeDurably } from '#system';
import { gateFault } from '../faults.ts';
import type { ReleasePrintInput, ReleasePrintOutput } from '../operations.ts';
import { paperParts } from '../outward/paper.ts';
import { parseRelease } from '../outward/release-text.ts';
import { sheetsPage } from '../outward/sheets.ts';

const LIMIT = 32 * 1024 * 1024;

export const releasePrintVerb: Implementation<ReleasePrintInput, ReleasePrintOutput> = {
  async run(input, world) {
    const { files, cwd } = world;
    const home = await openHome(files, homePath(world, input.home === undefined ? {} : { home: input.home }));
    const from = resolve(cwd, input.release);
    const bytes = await readIfThere(files, from, LIMIT);
    if (bytes === undefined) throw gateFault('gate.not-a-release', { where: from, detail: 'There is no such file.' });
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const digest = digestOf(bytes);
    let released = false;
    for await (const { type, happening } of (await readHomeLedger(files, home)).records()) {
      if (type === 'sallyport/released/v1' && happening?.predicate['envelope'] === digest) released = true;
    }
    const refused = (code: string, detail: string): ReleasePrintOutput => {
      return { verdict: 'refused', reasons: [{ code, where: from, detail }], sha256, parts: 0, sheets: 0 };
    };
    if (!released) return refused('gate.not-released', `The ledger of this side has no release of ${digest}.`);
    const envelope = decodeEnvelope(bytes);
    const text = isProblem(envelope) ? envelope : parseRelease(envelope.payload);
    if ('ok' in text) throw new Error(`the ledger names a release that cannot be read: ${text.detail}`);
    const parts = paperParts(bytes);
    const path = resolve(cwd, input.out);
    await writeDurably(files, path, sheetsPage({ ...text, sha256 }, parts));
    return {
      verdict: 'printed',
      reasons: [],
      sha256,
      path,
      parts: parts.length,
      sheets: parts.at(-1)?.sheet ?? 0,
    };
  },

  exit: ({ verdict }) => (verdict === 'printed' ? 0 : 1),

  show({ verdict, reasons, path, parts, sheets, sha256 }, style) {
    if (verdict === 'refused') {
      return [style.bad(verdict), ...reasons.map(({ code, detail }) => `  ${style.bold(code)}: ${detail}`)].join('\n');
    }
    return `${style.good(verdict)} ${path ?? ''}: ${parts} codes on ${sheets} sheets, sha256 ${sha256}`;
  },
};
