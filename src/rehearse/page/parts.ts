import { count, text } from './text.ts';

export type Tone = 'good' | 'bad' | 'open' | 'quiet';

/** A piece of the page: its heading's id, its name, what the navigation says beside it, and its content. */
export interface Section {
  readonly id: string;
  readonly title: string;
  /** Its name in the navigation, and what stands beside it there. */
  readonly short: string;
  readonly note: string;
  readonly html: string;
}

/** The state of something in a word, with a sign of its own shape: colour only adds to it. */
export function mark(tone: Tone, word: string): string {
  return `<span class="mark ${tone}"><svg aria-hidden="true" width="14" height="14" viewBox="0 0 14 14"><path d="${SIGNS[tone]}"/></svg>${text(word)}</span>`;
}

const SIGNS: Readonly<Record<Tone, string>> = {
  good: 'M2.5 7.5 6 11l6-8',
  bad: 'M3 3l8 8M11 3l-8 8',
  open: 'M4.5 5a2.5 2.5 0 1 1 3.6 2.2C7.300 7.700 7 8.100 7 9M7 11.600v.1',
  quiet: 'M3 7h8',
};

/** A button that copies `value`; `name` says what, for those who do not see where it stands. */
export function copyButton(value: string, name: string, label = 'Copy'): string {
  return `<button type="button" class="small needs-script" data-copy="${text(value, Infinity)}" aria-label="${text(name)}">${text(label)}</button>`;
}

/** A button that saves the text of the element `id` as a file. */
export function saveButton(id: string, file: string, name: string): string {
  return `<button type="button" class="small needs-script" data-save="${text(id)}" data-file="${text(file)}" aria-label="${text(name)}">Save</button>`;
}

/** A digest, whole: its end is shown on paper and to those who ask for it. */
export function digestLine(digest: string): string {
  return `<span class="digest"><code>${text(digest)}</code> ${copyButton(digest, `Copy ${digest}`)}</span>`;
}

/** A digest where there is little room; whole on paper and when it is copied. */
export function shortDigest(digest: string): string {
  const [head, rest] = [digest.slice(0, 19), digest.slice(19)];
  return `<span class="digest"><code>${text(head)}<span class="on-screen">…</span><span class="on-paper">${text(rest)}</span></code> ${copyButton(digest, `Copy ${digest}`)}</span>`;
}

export interface Column {
  readonly title: string;
  /** Right-aligned figures. */
  readonly number?: boolean;
  /** Can be sorted by. */
  readonly sort?: boolean;
  /** Further markup of the heading. */
  readonly extra?: string;
  readonly wide?: boolean;
  /** Drawn over as much as there is. */
  readonly span?: boolean;
}

export interface Cell {
  readonly html: string;
  /** What it is sorted by, where that is not its text. */
  readonly sort?: number;
}

export interface Row {
  readonly cells: readonly Cell[];
  /** Values that a choice of the filter is compared with, by the choice's key. */
  readonly choices?: Readonly<Record<string, string>>;
}

export interface Choice {
  readonly key: string;
  readonly label: string;
  readonly values: readonly (readonly [value: string, label: string])[];
}

export interface TableOptions {
  readonly id: string;
  readonly caption: string;
  readonly columns: readonly Column[];
  readonly rows: readonly Row[];
  /** Index of the column that heads the row. */
  readonly head: number;
  /** A search field and choices above it. */
  readonly filter?: { readonly label: string; readonly choices: readonly Choice[] };
}

/**
 * A table that is a list of cards where there is no room for columns. The roles are said once more because browsers drop
 * them from a table that is not laid out as one.
 */
export function table({ id, caption, columns, rows, head, filter }: TableOptions): string {
  const heads = columns
    .map(({ title, number, sort, extra, wide, span }) => {
      const className = classOf({ number, wide, span });
      return `<th scope="col" role="columnheader"${className}${sort === true ? ' data-sort' : ''}>${text(title)}${extra ?? ''}</th>`;
    })
    .join('');
  const body = rows.map((row) => bodyRow(row, columns, head)).join('\n');
  return `${filter === undefined ? '' : filterOf(id, filter, rows.length)}<table id="${id}" role="table"><caption>${text(caption)}</caption>
<thead role="rowgroup"><tr role="row">${heads}</tr></thead>
<tbody role="rowgroup">
${body}
</tbody></table>`;
}

function bodyRow({ cells, choices }: Row, columns: readonly Column[], head: number): string {
  const data = Object.entries(choices ?? {})
    .map(([key, value]) => ` data-is-${key}="${text(value)}"`)
    .join('');
  const parts = cells.map(({ html, sort }, index) => {
    const { title = '', number, wide, span } = columns[index] ?? {};
    const className = classOf({ number, wide, span });
    const by = sort === undefined ? '' : ` data-by="${sort}"`;
    if (index === head) return `<th scope="row" role="rowheader"${className}${by}>${html}</th>`;
    // A card has no place for what is not there.
    const empty = html === '' ? ' data-empty' : '';
    return `<td role="cell"${className}${by}${empty} data-label="${text(title)}">${html}</td>`;
  });
  return `<tr role="row"${data}>${parts.join('')}</tr>`;
}

function classOf(column: { readonly [K in 'number' | 'wide' | 'span']: boolean | undefined }): string {
  const names = (['number', 'wide', 'span'] as const).filter((name) => column[name] === true);
  return names.length === 0 ? '' : ` class="${names.join(' ')}"`;
}

function filterOf(id: string, { label, choices }: NonNullable<TableOptions['filter']>, rows: number): string {
  const selects = choices.map(({ key, label: name, values }) => {
    const options = values.map(([value, word]) => `<option value="${text(value)}">${text(word)}</option>`).join('');
    return `<label>${text(name)} <select data-choice="${key}"><option value="">All</option>${options}</select></label>`;
  });
  return `<div class="filter needs-script" data-filter="${id}"><label>${text(label)} <input type="search" autocomplete="off" spellcheck="false"></label>${selects.join('')}<p role="status" class="shown">${count(rows)} shown</p></div>`;
}

/** Says that a list was cut, or nothing. */
export function cutNote(shown: number, all: number, which: string): string {
  return shown >= all
    ? ''
    : `<p class="note">${count(shown)} of ${count(all)} are shown${which}. All stand in the JSON report.</p>`;
}

export function section({ id, title, html }: Section): string {
  return `<section aria-labelledby="${id}"><h2 id="${id}" tabindex="-1">${text(title)}</h2>
${html}</section>`;
}
