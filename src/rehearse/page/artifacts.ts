import { size } from '../figures.ts';
import type { LockedFile, Report } from '../report.ts';
import { copyButton, cutNote, digestLine, mark, type Row, type Section, shortDigest, table } from './parts.ts';
import { count, plural, text } from './text.ts';

/** Files of the lock that a page shows. */
const FILES = 1500;
const FOREIGN = 50;
/** A list that is longer than this is opened by whoever wants it. */
const FEW = 25;

const WHY: Readonly<Record<Exclude<LockedFile['why'], ''>, string>> = {
  'other-target': 'of another target',
  optional: 'optional',
  'answers-made-from-it': 'document',
  'not-asked': 'nobody here asked',
};

/** What was used, by digest. Undefined where nothing crossed. */
export function artifactsSection({ bundle, artifacts }: Report): Section | undefined {
  const parts: string[] = [];
  if (bundle !== undefined) {
    parts.push(
      `<p>The bundle of sequence ${count(bundle.sequence)}, by the digest of its index:</p><p>${digestLine(bundle.index)}</p>`,
    );
  }
  if (artifacts !== undefined) {
    const { served, locked, bytes, files, foreign } = artifacts;
    parts.push(
      `<p>The depot served ${count(served)} of ${plural(locked, 'artifact')} of the lock, ${size(bytes)}, each by its digest. ${
        foreign.length === 0
          ? 'It served nothing that the lock does not name.'
          : `<strong class="bad">It served what the lock does not name: ${text(foreign.slice(0, FOREIGN).join(', '), 4000)}</strong>`
      }</p>`,
    );
    // What was not served says why, and is what somebody looks for.
    const shown = [...files].sort((a, b) => weight(a) - weight(b)).slice(0, FILES);
    const list = table({
      id: 'files-table',
      caption:
        'Every file of the lock: whether the depot served it here, and why where it did not. From documents of upstream the depot makes its answers',
      columns: [
        { title: 'Served?', sort: true },
        { title: 'File', wide: true, sort: true },
        { title: 'Targets' },
        { title: 'Size', number: true, sort: true },
        { title: 'Answers', number: true, sort: true },
        { title: 'Digest' },
      ],
      rows: shown.map(fileRow),
      head: 1,
      filter: {
        label: 'Search files',
        choices: [
          {
            key: 'served',
            label: 'Served?',
            values: [
              ['yes', 'Served'],
              ['no', 'Not served'],
              ['document', 'Documents'],
            ],
          },
          {
            key: 'ecosystem',
            label: 'Ecosystem',
            values: [...new Set(shown.map(({ ecosystem }) => ecosystem))].map((name) => [name, name]),
          },
        ],
      },
    });
    parts.push(
      `<details${shown.length > FEW ? '' : ' open'}><summary><strong>${plural(files.length, 'file')} of the lock</strong> <span class="note">${unserved(files)}</span></summary>${list}${cutNote(shown.length, files.length, ': those that were not served first')}</details>`,
    );
  }
  if (parts.length === 0) return undefined;
  const note = artifacts === undefined ? '' : `${count(artifacts.served)} of ${count(artifacts.locked)}`;
  return { id: 'digests', title: 'What was used, by digest', short: 'Files by digest', note, html: parts.join('') };
}

/** How many were not served, by reason. */
function unserved(files: readonly LockedFile[]): string {
  const counts = new Map<string, number>();
  for (const { served, why } of files) {
    const word = served ? 'served' : why === '' ? 'not served' : WHY[why];
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return [...counts].map(([word, times]) => `${count(times)} ${word}`).join(', ');
}

function weight({ row, served }: LockedFile): number {
  return row === 'document' ? 2 : served ? 1 : 0;
}

function fileRow({ artifact, ecosystem, row, digest, size: bytes, targets, served, answers, why }: LockedFile): Row {
  const kind = row === 'document' ? 'document' : served ? 'yes' : 'no';
  const state = served
    ? mark('good', 'served')
    : mark(why === 'not-asked' ? 'open' : 'quiet', why === '' ? 'not served' : WHY[why]);
  return {
    choices: { served: kind, ecosystem },
    cells: [
      { html: state },
      { html: fileName(artifact) },
      { html: text(targets) },
      { html: size(bytes), sort: bytes },
      { html: count(answers), sort: answers },
      { html: shortDigest(digest) },
    ],
  };
}

/** `npm express 5.3.0 (express-5.3.0.tgz)`: the file's own name is the lesser part of it. */
function fileName(artifact: string): string {
  const [, name, file] = /^(.*) (\([^()]*\))$/s.exec(artifact) ?? [];
  return name === undefined || file === undefined
    ? text(artifact)
    : `${text(name)} <span class="note">${text(file)}</span>`;
}

/** Bundles that were offered and must not pass. Undefined where none was. */
export function refusalsSection({ refusals }: Report): Section | undefined {
  if (refusals.length === 0) return undefined;
  const html = table({
    id: 'refusals-table',
    caption: 'Each was given to the real admission; a refusal is an entry in the ledger',
    columns: [
      { title: 'Result' },
      { title: 'Bundle', wide: true },
      { title: 'Code' },
      { title: 'Entry', number: true },
    ],
    rows: refusals.map(({ what, refused, codes, detail, ledger }) => ({
      cells: [
        { html: refused ? mark('good', 'refused') : mark('bad', 'NOT refused') },
        { html: `<span class="title">${text(what)}</span><span class="detail">${text(detail, 1000)}</span>` },
        { html: codes.map((code) => `<code>${text(code)}</code>`).join(' ') },
        { html: ledger === undefined ? '' : String(ledger) },
      ],
    })),
    head: 1,
  });
  const refused = refusals.filter((one) => one.refused).length;
  return {
    id: 'refused',
    title: 'Bundles that must be refused',
    short: 'Refusals',
    note: `${refused} of ${refusals.length}`,
    html,
  };
}

/** Shell lines that check the bundle. Undefined where there is none. */
export function checkSection({ check }: Report): Section | undefined {
  if (check.length === 0) return undefined;
  const lines = check.join('\n');
  const html = `<p>In an empty folder, with openssl, zstd and sha256sum. It ends with “checked”.</p>
<pre tabindex="0" role="group" aria-label="Shell lines"><code>${text(lines, 20_000)}</code></pre><p>${copyButton(lines, 'Copy the lines', 'Copy the lines')}</p>`;
  return { id: 'check', title: 'Check the bundle without Sallyport', short: 'Check it yourself', note: '', html };
}
