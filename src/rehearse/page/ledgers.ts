import type { RecordedEntry } from '../evidence.ts';
import type { Report } from '../report.ts';
import { copyButton, cutNote, digestLine, saveButton, type Section } from './parts.ts';
import { count, text } from './text.ts';

const PROOFS = 200;
const PROOF = 20_000;

/** What vouches for this page: the report's digest, and its entry where it has one. */
export interface PageEvidence {
  /** Of the report's exact bytes. */
  readonly digest: string;
  readonly recorded?: RecordedEntry;
}

/** The report's own digest and entry, and the entries on either side that the rehearsal relies on, each with its proof. */
export function ledgersSection(report: Report, { digest, recorded }: PageEvidence): Section {
  const { ledgers, proofs, entry } = report;
  const parts: string[] = [];
  parts.push(
    `<p>This page is drawn from <code>${text(nameOf(report.report))}</code>, whose digest is</p><p>${digestLine(digest)}</p>`,
  );
  if (recorded === undefined || entry === undefined) {
    parts.push('<p>It is not signed and stands in no ledger: nothing crossed.</p>');
  } else {
    parts.push(
      `<p>It is signed in <code>${text(nameOf(report.signature))}</code>, and entry ${count(entry.index)} of the ledger <code>${text(entry.origin)}</code>. <code>sallyport rehearse verify</code> checks both with the inside’s root.</p>`,
      proofDetails('report', `Inside, entry ${count(entry.index)}`, 'This report', {
        entry: Buffer.from(recorded.entry).toString('utf8'),
        proof: Buffer.from(recorded.proof).toString('utf8'),
        name: `inside-${entry.index}`,
      }),
    );
  }
  if (proofs.length > 0) {
    const shown = proofs.slice(0, PROOFS);
    parts.push(
      '<h3>Entries that the rehearsal relies on</h3>',
      '<p>A leaf of the tree is SHA-256 over a zero byte and the entry. The proof leads from it to the checkpoint, in the form of C2SP tlog-proof, which tools of others verify.</p>',
      ...shown.map(({ side, index, what, entry: leaf, proof }, place) =>
        proofDetails(`proof-${place}`, `${side === 'inside' ? 'Inside' : 'Outside'}, entry ${count(index)}`, what, {
          entry: leaf,
          proof,
          name: `${side}-${index}`,
        }),
      ),
      cutNote(shown.length, proofs.length, ''),
    );
  }
  if (ledgers.length > 0) {
    const rows = ledgers.map(
      ({ side, origin, vkey, size, root }) =>
        `<div><dt>${side === 'inside' ? 'Inside' : 'Outside'}, ${count(size)} entries</dt><dd><code>${text(origin)}</code></dd><dd>root <code>${text(root)}</code></dd><dd>key <code>${text(vkey)}</code> ${copyButton(vkey, `Copy the verifier key of the ledger ${side}`)}</dd></div>`,
    );
    parts.push(`<h3>The ledgers and their keys</h3><dl class="plain">${rows.join('')}</dl>`);
  }
  const note = entry === undefined ? 'not signed' : `entry ${count(entry.index)}`;
  return { id: 'ledger', title: 'Evidence in the ledgers', short: 'Ledgers', note, html: parts.join('') };
}

function proofDetails(
  id: string,
  where: string,
  what: string,
  { entry, proof, name }: { readonly entry: string; readonly proof: string; readonly name: string },
): string {
  return `<details><summary><strong>${text(where)}</strong> <span class="note">${text(what)}</span></summary>
<h4>The entry</h4>
<pre tabindex="0" role="group" aria-label="${text(where)}: the entry"><code id="${id}-entry">${text(entry, PROOF)}</code></pre><p>${copyButton(entry, `Copy ${where}`)} ${saveButton(`${id}-entry`, `${name}.entry`, `Save ${where}`)}</p>
<h4>Its proof</h4>
<pre tabindex="0" role="group" aria-label="${text(where)}: its proof"><code id="${id}-proof">${text(proof, PROOF)}</code></pre><p>${copyButton(proof, `Copy the proof of ${where}`)} ${saveButton(`${id}-proof`, `${name}.tlog-proof`, `Save the proof of ${where}`)}</p></details>`;
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
