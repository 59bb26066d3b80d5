import { duration, size } from '../figures.ts';
import type { Report, Step } from '../report.ts';
import { cutNote, mark, type Row, type Section, shortDigest, table } from './parts.ts';
import { plural, text, withShortDigests } from './text.ts';

/** Steps that a page shows. */
const STEPS = 500;

const OUTCOMES = {
  ok: ['good', 'holds'],
  failed: ['bad', 'failed'],
  'not-tested': ['open', 'unknown'],
} as const;

const SIDES = { outside: 'Outside', inside: 'Inside', enclave: 'Enclave', both: 'Both' } as const;

/** What was done, each as a row with its place in time, in the order of beginning: some of it ran side by side. */
export function stepsSection(report: Report): Section {
  const { steps } = report;
  const shown = [...steps].sort((a, b) => a.start - b.start).slice(0, STEPS);
  const end = Math.max(report.milliseconds, 1, ...shown.map(({ start, milliseconds }) => start + milliseconds));
  const ticks = ticksOf(end);
  const axis = `<svg class="axis" aria-hidden="true" width="100%" height="16">${ticks
    .map((at, index) => {
      const anchor = index === 0 ? 'start' : 'middle';
      return `<text x="${share(at, end)}" y="12" text-anchor="${anchor}">${text(label(at))}</text>`;
    })
    .join('')}</svg>`;
  const html = `<p class="legend">${(['outside', 'inside', 'enclave', 'both'] as const)
    .filter((side) => steps.some((step) => step.side === side))
    .map((side) => {
      return `<span><svg aria-hidden="true" width="12" height="12"><rect class="${side}" width="12" height="12" rx="3"/></svg>${SIDES[side]}</span>`;
    })
    .join('')}</p>
${table({
  id: 'steps-table',
  caption: 'What was done, on which side, when and for how long, and its entry in that side’s ledger',
  columns: [
    { title: 'Result' },
    { title: 'Step', wide: true },
    { title: 'Side' },
    { title: 'From the start', extra: axis, span: true },
    { title: 'Start', number: true },
    { title: 'Time', number: true },
    { title: 'Bytes', number: true },
    { title: 'Entry', number: true },
  ],
  rows: shown.map((step) => stepRow(step, end, ticks)),
  head: 1,
})}${cutNote(shown.length, steps.length, ', the first')}`;
  const failed = steps.filter(({ outcome }) => outcome !== 'ok').length;
  const note = failed === 0 ? String(steps.length) : `${failed} not well`;
  return { id: 'steps', title: 'Steps', short: 'Steps', note, html };
}

function stepRow(step: Step, end: number, ticks: readonly number[]): Row {
  const [tone, word] = OUTCOMES[step.outcome];
  const more = [
    step.command === undefined ? '' : `<p><code class="command">${text(step.command, 2000)}</code></p>`,
    step.digest === undefined || step.digest === '' ? '' : `<p>${shortDigest(step.digest)}</p>`,
  ].join('');
  const name = `<span class="title">${text(step.title)}</span>`;
  const title = [
    more === '' ? `<div class="plain-title">${name}</div>` : `<details><summary>${name}</summary>${more}</details>`,
    step.detail === '' ? '' : `<span class="detail">${text(withShortDigests(step.detail), 2000)}</span>`,
  ].join('');
  const bar = `<svg class="lane" aria-hidden="true" width="100%" height="14">${ticks
    .map((at) => `<line class="tick" x1="${share(at, end)}" x2="${share(at, end)}" y1="0" y2="14"/>`)
    .join(
      '',
    )}<rect class="${step.side}" x="${share(step.start, end)}" width="${share(Math.max(step.milliseconds, end / 300), end)}" y="3" height="8" rx="2"/></svg>`;
  return {
    cells: [
      { html: mark(tone, word) },
      { html: title },
      { html: SIDES[step.side] },
      { html: bar },
      { html: duration(step.start) },
      { html: duration(step.milliseconds) },
      { html: step.bytes === undefined || step.bytes === 0 ? '' : size(step.bytes) },
      { html: step.ledger === undefined ? '' : String(step.ledger) },
    ],
  };
}

/** Round moments, three to five of them, from 0 on. */
function ticksOf(end: number): number[] {
  const power = 10 ** Math.floor(Math.log10(end / 5));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => end / size <= 6.5) ?? end;
  return Array.from({ length: Math.floor(end / step) + 1 }, (_, index) => index * step).filter(
    (at) => at <= end * 0.97,
  );
}

function label(milliseconds: number): string {
  return milliseconds >= 1000 || milliseconds === 0 ? `${milliseconds / 1000} s` : `${milliseconds} ms`;
}

function share(part: number, whole: number): string {
  return `${((part / whole) * 100).toFixed(2)}%`;
}

/** Why not everything holds. Undefined where everything does. */
export function reasonsSection({ reasons }: Report): Section | undefined {
  if (reasons.length === 0) return undefined;
  const shown = reasons.slice(0, STEPS);
  const rows = shown.map(
    ({ code, where, detail }) =>
      `<li><p>${where === '' ? '' : `<strong>${text(where)}</strong> `}${text(detail, 2000)}</p><p class="note"><code>${text(code)}</code></p></li>`,
  );
  return {
    id: 'why',
    title: 'Why not everything holds',
    short: 'Why not',
    note: plural(reasons.length, 'reason'),
    html: `<ul class="reasons">${rows.join('')}</ul>${cutNote(shown.length, reasons.length, '')}`,
  };
}
