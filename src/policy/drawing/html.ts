import { htmlPage, markup } from '#formats';
import { type Drawing, groupsOf, type State, STATES } from './drawing.ts';
import { SCRIPT } from './page-script.ts';
import { STYLE } from './page-style.ts';

const SIGNS: Readonly<Record<State, string>> = {
  open: '●',
  depends: '◐',
  opened: '+',
  closed: '−',
  changed: '~',
  certainty: '?',
};
const WORDS: Readonly<Record<State, string>> = {
  open: 'open',
  depends: 'depends on the plugin, or on what no manifest says',
  opened: 'opened',
  closed: 'closed',
  changed: 'other ports',
  certainty: 'more or less certain',
};

/**
 * One file that opens from disk and asks nobody for anything: a matrix of sources and destinations, by namespace, that
 * opens where one looks closer. Its policy allows its own style and script, each by its digest, and nothing else.
 */
export function html(drawing: Drawing): string {
  const groups = groupsOf(drawing);
  const peers = new Map(groups.flatMap((group) => group.peers).map((name, i) => [name, i]));
  const [ports, notes] = [new Numbered(), new Numbered()];
  const edges = drawing.pairs.flatMap(({ from, to, ports: text, state, note }) => [
    peers.get(from)!,
    peers.get(to)!,
    ports.of(text),
    STATES.indexOf(state),
    notes.of(note),
  ]);
  const data = {
    groups,
    ports: ports.list,
    notes: notes.list,
    states: STATES,
    signs: STATES.map((state) => SIGNS[state]),
    words: STATES.map((state) => WORDS[state]),
    edges,
  };
  // Within a script element only a closing tag and a comment are seen.
  const json = JSON.stringify(data).replaceAll('<', '\\u003c').replaceAll('\u2028', '\\u2028');
  const used = STATES.filter((state) => drawing.pairs.some((pair) => pair.state === state));
  return htmlPage({
    title: drawing.title,
    style: STYLE,
    script: SCRIPT,
    body: `<a class="skip" href="#main">Skip to the matrix</a>
<div class="frame">
<div class="top"><span><strong>Sallyport</strong> network policy</span><button type="button" id="theme" class="needs-script" aria-pressed="false">Other theme</button></div>
<h1>${markup(drawing.title)}</h1>
<p class="facts">${drawing.facts.map((fact) => markup(fact)).join(' · ')}</p>
<ul class="legend" aria-label="Signs">${used.map((state) => `<li><span class="sign ${state}" aria-hidden="true">${SIGNS[state]}</span> ${WORDS[state]}</li>`).join('')}<li>(no sign) ${markup(drawing.blank)}</li></ul>
<div class="tools needs-script"><label for="filter">Filter <input type="search" id="filter" placeholder="workload, address or port" autocomplete="off"></label><button type="button" id="close">Close all namespaces</button><span id="shown"></span><strong id="warning" class="opened"></strong></div>
<p class="help needs-script" id="keys">Arrow keys move, Enter opens a namespace or shows what a cell holds. Numbers count pairs.</p>
<noscript><p>The matrix is drawn by a script of this file, and scripts are switched off here. The same answer is written by <code>--output csv</code>, <code>--output svg</code> and <code>--json</code>.</p></noscript>
<main id="main" class="columns needs-script" tabindex="-1">
<div class="scroll"><table id="matrix" role="grid" aria-label="Sources by row, destinations by column" aria-describedby="keys"></table></div>
<aside aria-label="What a cell holds"><h2 id="what">Choose a cell</h2><ul id="details"></ul></aside>
</main>
<section class="list needs-script" aria-labelledby="all"><h2 id="all">Pairs</h2><ul id="list"></ul></section>
</div>
<p id="said" role="status" aria-live="polite"></p>
<script type="application/json" id="data">${json}</script>`,
  });
}

/** Texts by their number, each kept once. */
class Numbered {
  readonly #ids = new Map<string, number>();

  of(text: string): number {
    let id = this.#ids.get(text);
    if (id === undefined) this.#ids.set(text, (id = this.#ids.size));
    return id;
  }

  get list(): string[] {
    return [...this.#ids.keys()];
  }
}
