import { type DrawnPair, type Drawing, type Group, groupsOf, shortName, type State, STATES } from './drawing.ts';
import { markup } from '#formats';
import { count } from './count.ts';

/** Above this many rows or columns a cell is a pair of namespaces. */
const FINE = 80;
const CELL = 16;
const LETTER = 6.6;
const LONGEST = 48;

const WORDS: Readonly<Record<State, string>> = {
  open: 'open',
  depends: 'depends on the plugin or on what no manifest says',
  opened: 'opened',
  closed: 'closed',
  changed: 'other ports',
  certainty: 'less or more certain',
};

interface Line {
  readonly name: string;
  readonly group: string;
  /** It is the first of its group. */
  readonly first: boolean;
}

/** A matrix: sources down, destinations across. Shapes differ as well as colours. */
export function svg(drawing: Drawing): string {
  const groups = groupsOf(drawing);
  const sources = new Set(drawing.pairs.map(({ from }) => from));
  const targets = new Set(drawing.pairs.map(({ to }) => to));
  const fine = sources.size <= FINE && targets.size <= FINE;
  const [rows, columns] = [linesOf(groups, sources, fine), linesOf(groups, targets, fine)];
  const groupOf = new Map(groups.flatMap(({ name, peers }) => peers.map((peer) => [peer, name] as const)));
  const key = (peer: string): string => (fine ? peer : groupOf.get(peer)!);
  const cells = Map.groupBy(drawing.pairs, ({ from, to }) => JSON.stringify([key(from), key(to)]));
  const label = ({ name, group }: Line): string => cut(fine ? `${group} / ${shortName(name, group)}` : name);
  const wide = Math.ceil(Math.max(12, ...rows.map((row) => label(row).length)) * LETTER) + 12;
  const high = Math.ceil(Math.max(8, ...columns.map((column) => label(column).length)) * LETTER) + 12;
  const used = STATES.filter((state) => drawing.pairs.some((pair) => pair.state === state));
  const top = high + 66;
  const width = Math.max(wide + columns.length * CELL + 16, 520);
  const height = top + rows.length * CELL + 16;
  const rowAt = new Map(rows.map(({ name }, i) => [name, i]));
  const columnAt = new Map(columns.map(({ name }, i) => [name, i]));

  const out = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="t d">`,
    `<title id="t">${markup(drawing.title)}</title>`,
    `<desc id="d">${markup(`A matrix of ${count(drawing.pairs.length)} pairs; sources down, destinations across. ${drawing.facts.join('. ')}.`)}</desc>`,
    `<style>${STYLE}</style>`,
    `<rect class="page" width="${width}" height="${height}"/>`,
    `<text class="title" x="12" y="24">${markup(drawing.title)}</text>`,
  ];
  let x = 12;
  for (const state of used) {
    out.push(shape(state, x, 36), `<text class="quiet" x="${x + CELL + 4}" y="48">${WORDS[state]}</text>`);
    x += CELL + 20 + WORDS[state].length * LETTER;
  }
  out.push(...grid(rows, columns, wide, top));
  columns.forEach((column, i) => {
    const at = wide + i * CELL + CELL / 2 + 4;
    out.push(`<text transform="translate(${at} ${top - 6}) rotate(-90)">${markup(label(column))}</text>`);
  });
  rows.forEach((row, i) => {
    out.push(`<text class="end" x="${wide - 6}" y="${top + i * CELL + 12}">${markup(label(row))}</text>`);
  });
  for (const [name, pairs] of cells) {
    const [from, to] = JSON.parse(name) as [string, string];
    const [left, at] = [wide + columnAt.get(to)! * CELL, top + rowAt.get(from)! * CELL];
    const told = fine ? pairs.map(sentence).join('\n') : `${from} to ${to}: ${count(pairs.length)} pairs`;
    out.push(`<g>${shape(weightiest(pairs), left, at)}<title>${markup(told.slice(0, 500))}</title></g>`);
  }
  return `${out.join('\n')}\n</svg>\n`;
}

function linesOf(groups: readonly Group[], used: ReadonlySet<string>, fine: boolean): Line[] {
  return groups.flatMap(({ name, peers }) => {
    const own = peers.filter((peer) => used.has(peer));
    if (own.length === 0) return [];
    if (!fine) return [{ name, group: name, first: true }];
    return own.map((peer, i) => ({ name: peer, group: name, first: i === 0 }));
  });
}

function grid(rows: readonly Line[], columns: readonly Line[], left: number, top: number): string[] {
  const [right, bottom] = [left + columns.length * CELL, top + rows.length * CELL];
  const out: string[] = [];
  rows.forEach(({ first }, i) => {
    const y = top + i * CELL;
    out.push(`<path class="${first ? 'strong' : 'line'}" d="M${first ? 4 : left} ${y}H${right}"/>`);
  });
  columns.forEach(({ first }, i) => {
    const x = left + i * CELL;
    out.push(`<path class="${first ? 'strong' : 'line'}" d="M${x} ${first ? top - 12 : top}V${bottom}"/>`);
  });
  out.push(`<path class="strong" d="M4 ${bottom}H${right}V${top - 12}"/>`);
  return out;
}

function weightiest(pairs: readonly DrawnPair[]): State {
  const order: readonly State[] = ['opened', 'changed', 'closed', 'certainty', 'depends', 'open'];
  return order.find((state) => pairs.some((pair) => pair.state === state))!;
}

function sentence({ from, to, ports, note }: DrawnPair): string {
  return `${from} to ${to}: ${ports}${note === '' ? '' : ` (${note})`}`;
}

function shape(state: State, x: number, y: number): string {
  const [a, b, m] = [3, CELL - 3, CELL / 2];
  const drawn: Readonly<Record<State, string>> = {
    open: `<rect x="${x + a}" y="${y + a}" width="${b - a}" height="${b - a}" rx="1.5"/>`,
    depends: `<path d="M${x + a} ${y + b}V${y + a}H${x + b}Z"/><path class="edge" d="M${x + a} ${y + a}h${b - a}v${b - a}h${a - b}z"/>`,
    opened: `<path class="thick" d="M${x + m} ${y + a}V${y + b}M${x + a} ${y + m}H${x + b}"/>`,
    closed: `<path class="thick" d="M${x + a} ${y + m}H${x + b}"/>`,
    changed: `<path class="thick" d="M${x + a} ${y + 10}L${x + 6} ${y + 6}L${x + 10} ${y + 10}L${x + b} ${y + 6}"/>`,
    certainty: `<circle class="edge" cx="${x + m}" cy="${y + m}" r="4.5"/>`,
  };
  return `<g class="${state}">${drawn[state]}</g>`;
}

function cut(text: string): string {
  return text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text;
}

const LIGHT =
  '.page{fill:#fafaf8}text{fill:#1c2024}.quiet{fill:#5a626b}.line{stroke:#e0e2e0}.strong{stroke:#7c858f}.open{fill:#23738c;stroke:#23738c}.depends,.certainty{fill:#76500a;stroke:#76500a}.opened{stroke:#a1182e}.closed{stroke:#17643a}.changed{stroke:#1d4f91}';
const DARK =
  '.page{fill:#101316}text{fill:#e6e9ec}.quiet{fill:#a2abb5}.line{stroke:#2c3238}.strong{stroke:#757f8a}.open{fill:#6fbdd4;stroke:#6fbdd4}.depends,.certainty{fill:#e0b565;stroke:#e0b565}.opened{stroke:#f59aa3}.closed{stroke:#7fcf9c}.changed{stroke:#8fb8f0}';
const STYLE = `text{font:11px ui-monospace,"DejaVu Sans Mono",Consolas,monospace}.title{font:600 15px system-ui,"Liberation Sans",sans-serif}.end{text-anchor:end}path{fill:none}.line,.strong{fill:none;stroke-width:1}.open rect,.depends path:first-child{stroke:none}.depends path:first-child{fill:inherit}.edge{fill:none;stroke-width:1.25}.thick{fill:none;stroke-width:2.5}${LIGHT}@media (prefers-color-scheme:dark){${DARK}}`;
