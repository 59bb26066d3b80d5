import { describeAttempt } from '#enclave';
import { printable, type Style } from '#kernel';
import { duration, size } from './figures.ts';
import type { Report, Step } from './report.ts';

/** Columns that lines are wrapped at: those of the terminal within reason. */
const NARROWEST = 40;
const WIDEST = 120;
/** Rows of one list; the rest is counted and stands in the report. */
const ROWS = 20;
const MARK = 9;

const ANSWERS = {
  yes: ['yes', 'good'],
  no: ['no', 'bad'],
  unknown: ['unknown: not everything could be tried', 'warn'],
} as const;

const SIDES = { outside: 'Outside', inside: 'Inside', enclave: 'In the enclave', both: 'Both sides' } as const;

/** The report as a person reads it on a terminal: no line that is prose is wider than the terminal. */
export function showReport(report: Report, style: Style): string {
  const width = Math.min(WIDEST, Math.max(NARROWEST, style.width));
  const lines: string[] = [];
  const say = (text: string, indent = 0, dress = (line: string): string => line): void => {
    for (const line of wrapped(printable(text), width - indent)) lines.push(' '.repeat(indent) + dress(line));
  };

  let side: Step['side'] | undefined;
  for (const step of inPhases(report.steps)) {
    if (step.side !== side) {
      if (side !== undefined) lines.push('');
      lines.push(style.bold(SIDES[step.side]));
      side = step.side;
    }
    showStep(step, width, style, lines, say);
  }

  const unasked = report.attempts.filter(({ deliberate }) => !deliberate);
  list(
    'Tried to reach what is not there (blocked, recorded):',
    counted(unasked.map((attempt) => [describeAttempt({ ...attempt, count: undefined }), attempt.count])),
  );
  list(
    'Hosts at run time:',
    report.runtimeHosts.map(({ host, port, verdict, setting }) => {
      const place = `${host}${port === undefined ? '' : `:${port}`}`;
      if (setting === undefined) return `${place}: ${verdict}`;
      return verdict === 'silenced'
        ? `${place}: silenced by ${setting}`
        : `${place}: ${verdict}; ${setting} silences it`;
    }),
  );

  lines.push('');
  const question = 'Could this run without internet?';
  const [answer, dress] = ANSWERS[report.offline];
  if (question.length + 2 + answer.length <= width) lines.push(`${style.bold(question)}  ${style[dress](answer)}`);
  else {
    say(question, 0, style.bold);
    say(answer, 2, style[dress]);
  }
  if (report.artifacts !== undefined) {
    const { served, locked, bytes } = report.artifacts;
    say(`Served by the depot: ${served} of ${locked} artifacts of the lock, ${size(bytes)}, each by its digest.`);
  }
  const deliberate = report.attempts.length - unasked.length;
  say(`Attempts to call out: ${unasked.length}, and ${deliberate} made on purpose; all blocked and recorded.`);
  for (const { what, refused, codes, ledger } of report.refusals) {
    const entry = ledger === undefined ? '' : `, entry ${ledger}`;
    if (refused) say(`Refused: ${what}: ${codes.join(', ')}${entry}`);
    else say(`NOT REFUSED: ${what}${entry}`, 0, style.bad);
  }
  if (report.verdict === 'not-proved') {
    lines.push(style.bad('Not proved:'));
    for (const { where, detail } of report.reasons.slice(0, ROWS)) say(`${where}: ${detail}`, 2);
    if (report.reasons.length > ROWS) say(`and ${report.reasons.length - ROWS} more, in the report`, 2);
  }
  const { entry } = report;
  const kept =
    entry === undefined
      ? 'It is not signed: nothing crossed.'
      : `Signed, and entry ${entry.index} of the ledger inside.`;
  say(`Took ${duration(report.milliseconds)}. ${kept}`);
  // Paths and shell lines are for copying, and stay whole.
  lines.push(`  report     ${printable(report.report)}`, `  as a page  ${printable(report.page)}`);
  if (entry !== undefined) lines.push(`  signature  ${printable(report.signature)}`);
  if (report.check.length > 0) {
    lines.push('', 'Check the bundle without Sallyport, in an empty folder:');
    lines.push(...report.check.map((line) => `  ${line}`));
  }
  return lines.join('\n');

  function list(title: string, rows: readonly string[]): void {
    if (rows.length === 0) return;
    lines.push('');
    say(title, 0, style.bold);
    for (const row of rows.slice(0, ROWS)) say(row, 2);
    if (rows.length > ROWS) say(`and ${rows.length - ROWS} more, in the report`, 2);
  }
}

/** What happened side by side is told one thing after the other: the crossing, the enclave, the refusals, the rest. */
function inPhases(steps: readonly Step[]): Step[] {
  const isRefusal = ({ id }: Step): boolean => id.startsWith('refuse-');
  const [crossing, enclave, refusals, rest]: [Step[], Step[], Step[], Step[]] = [[], [], [], []];
  for (const step of steps) {
    if (step.side === 'enclave') enclave.push(step);
    else if (isRefusal(step)) refusals.push(step);
    else if (enclave.length === 0) crossing.push(step);
    else rest.push(step);
  }
  const byStart = (list: Step[]): Step[] => list.sort((a, b) => a.start - b.start);
  return [crossing, enclave, refusals, rest].flatMap(byStart);
}

function showStep(
  step: Step,
  width: number,
  style: Style,
  lines: string[],
  say: (text: string, indent: number, dress?: (line: string) => string) => void,
): void {
  const mark = { ok: style.good('ok'), failed: style.bad('failed'), 'not-tested': style.warn('unknown') };
  const bare = { ok: 'ok', failed: 'failed', 'not-tested': 'unknown' };
  const facts = [
    duration(step.milliseconds),
    ...(step.bytes === undefined || step.bytes === 0 ? [] : [size(step.bytes)]),
    ...(step.ledger === undefined ? [] : [`entry ${step.ledger}`]),
    ...(step.digest === undefined || step.digest === '' ? [] : [`${step.digest.slice(0, 19)}…`]),
  ].join(', ');
  const [first = '', ...more] = wrapped(printable(step.title), width - MARK);
  const lead = mark[step.outcome] + ' '.repeat(MARK - bare[step.outcome].length);
  const last = more.at(-1) ?? first;
  const fits = MARK + columns(last) + 2 + columns(facts) <= width;
  const titles = [lead + first, ...more.map((line) => ' '.repeat(MARK) + line)];
  if (fits) titles.push(`${titles.pop() ?? ''}  ${style.dim(facts)}`);
  lines.push(...titles);
  if (!fits) say(facts, MARK, style.dim);
  if (step.detail !== '') say(step.detail, MARK, style.dim);
}

function counted(rows: readonly (readonly [string, number])[]): string[] {
  const counts = new Map<string, number>();
  for (const [text, count] of rows) counts.set(text, (counts.get(text) ?? 0) + count);
  return [...counts].map(([text, count]) => `${text}${count > 1 ? ` (${count} times)` : ''}`);
}

/** Lines of at most `width` columns, broken at spaces, and within words only where one is longer than a line. */
function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    let rest = word;
    if (line !== '' && columns(line) + 1 + columns(rest) > width) {
      lines.push(line);
      line = '';
    }
    while (columns(rest) > width) {
      const piece = fitting(rest, width);
      lines.push(piece);
      rest = rest.slice(piece.length);
    }
    line = line === '' ? rest : `${line} ${rest}`;
  }
  if (line !== '' || lines.length === 0) lines.push(line);
  return lines;
}

function fitting(text: string, width: number): string {
  let piece = '';
  let used = 0;
  for (const sign of text) {
    used += columns(sign);
    if (used > width && piece !== '') break;
    piece += sign;
  }
  return piece;
}

/** Wide East Asian letters and emoji take two columns (UAX #11, its blocks in outline); marks that combine take none. */
const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;

function columns(text: string): number {
  let count = 0;
  for (const sign of text) count += /\p{Mn}/u.test(sign) ? 0 : WIDE.test(sign) ? 2 : 1;
  return count;
}
