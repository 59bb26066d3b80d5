/**
 * Draws the matrix from the data in the page. A grid by the ARIA Authoring Practices: one cell is in the order of tabs,
 * arrows move, Enter opens a namespace or says what a cell holds. It makes text nodes and attributes only, never markup.
 */
export const SCRIPT = `'use strict';
(() => {
const data = JSON.parse(document.getElementById('data').textContent);
const root = document.documentElement;
root.classList.add('scripted');
const byId = (id) => document.getElementById(id);
const table = byId('matrix');
const peers = [], groupAt = [];
data.groups.forEach((group, g) => group.peers.forEach((name) => { peers.push(name); groupAt.push(g); }));
const STEP = 5, edges = data.edges, total = edges.length / STEP;
const signs = data.signs, words = data.words;
const open = { rows: new Set(), columns: new Set() };
let filter = '';
const say = (text) => { byId('said').textContent = text; };
const number = (value) => String(value).replace(/\\B(?=(\\d{3})+$)/g, ',');
const short = (peer) => {
  const name = data.groups[groupAt[peer]].name;
  return peers[peer].startsWith(name + '/') ? peers[peer].slice(name.length + 1) : peers[peer];
};
const fits = (i) => filter === '' || peers[edges[i * STEP]].toLowerCase().includes(filter) ||
  peers[edges[i * STEP + 1]].toLowerCase().includes(filter) || data.ports[edges[i * STEP + 2]].toLowerCase().includes(filter);
let shown = [], cells = new Map(), sources = [], targets = [];
const key = (row, column) => row + ' ' + column;
const lines = (used, opened) => {
  const out = [];
  data.groups.forEach((group, g) => {
    const own = used[g];
    if (own.size === 0) return;
    const alone = own.size === 1;
    if (!alone) out.push({ id: 'g' + g, group: g, peer: -1, size: own.size });
    if (alone || opened.has(g)) for (const peer of [...own].sort((a, b) => a - b)) out.push({ id: 'p' + peer, group: g, peer, alone });
  });
  return out;
};
const index = () => {
  shown = [];
  const used = [data.groups.map(() => new Set()), data.groups.map(() => new Set())];
  for (let i = 0; i < total; i++) {
    if (!fits(i)) continue;
    shown.push(i);
    const from = edges[i * STEP], to = edges[i * STEP + 1];
    used[0][groupAt[from]].add(from);
    used[1][groupAt[to]].add(to);
  }
  sources = lines(used[0], open.rows);
  targets = lines(used[1], open.columns);
  const fine = (list) => new Set(list.map((line) => line.id));
  const rows = fine(sources), columns = fine(targets);
  cells = new Map();
  for (const i of shown) {
    const from = edges[i * STEP], to = edges[i * STEP + 1];
    const ways = (peer, set) => ['g' + groupAt[peer], 'p' + peer].filter((id) => set.has(id));
    for (const row of ways(from, rows)) for (const column of ways(to, columns)) {
      const name = key(row, column);
      const list = cells.get(name);
      if (list === undefined) cells.set(name, [i]); else list.push(i);
    }
  }
};
const make = (tag, text, className) => {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = text;
  if (className) node.className = className;
  return node;
};
const head = (line, across) => {
  const th = make('th', undefined, line.peer < 0 ? 'group' : '');
  th.scope = across ? 'col' : 'row';
  th.tabIndex = -1;
  const inner = make(across ? 'div' : 'span', undefined, (across ? 'down ' : '') + (line.peer >= 0 && !line.alone ? 'in' : ''));
  const name = make('span', line.peer < 0 ? data.groups[line.group].name + ' (' + line.size + ')' : line.alone ? peers[line.peer] : short(line.peer), 'name');
  inner.append(name);
  th.append(inner);
  th.title = line.peer < 0 ? data.groups[line.group].name : peers[line.peer];
  if (line.peer < 0) {
    const opened = (across ? open.columns : open.rows).has(line.group);
    th.setAttribute('aria-expanded', String(opened));
    th.dataset.group = line.group;
    th.dataset.axis = across ? 'columns' : 'rows';
  }
  return th;
};
const nameOf = (line) => line.peer < 0 ? data.groups[line.group].name : peers[line.peer];
let focus = [1, 1];
const CELLS = 60000;
const draw = () => {
  index();
  if (sources.length * targets.length > CELLS) return false;
  const thead = document.createElement('thead'), tbody = document.createElement('tbody');
  const tr = document.createElement('tr');
  const corner = make('th', 'from ↓ to →');
  corner.scope = 'col'; corner.tabIndex = -1;
  tr.append(corner, ...targets.map((line) => head(line, true)));
  thead.append(tr);
  for (const row of sources) {
    const line = document.createElement('tr');
    line.append(head(row, false));
    for (const column of targets) {
      const td = document.createElement('td');
      td.tabIndex = -1;
      if (row.peer < 0 || column.peer < 0) td.className = 'of-group';
      const list = cells.get(key(row.id, column.id));
      if (list !== undefined) {
        const states = new Map();
        for (const i of list) states.set(edges[i * STEP + 3], (states.get(edges[i * STEP + 3]) || 0) + 1);
        for (const [state, many] of [...states].sort((a, b) => a[0] - b[0])) {
          td.append(make('span', list.length === 1 ? signs[state] : signs[state] + number(many), data.states[state]));
        }
        const told = list.length === 1 ? data.ports[edges[list[0] * STEP + 2]] + ', ' + words[edges[list[0] * STEP + 3]] :
          [...states].map(([state, many]) => number(many) + ' ' + words[state]).join(', ');
        td.setAttribute('aria-label', nameOf(row) + ' to ' + nameOf(column) + ': ' + told);
        td.title = told;
        td.dataset.at = key(row.id, column.id);
      }
      line.append(td);
    }
    tbody.append(line);
  }
  table.replaceChildren(thead, tbody);
  table.setAttribute('aria-rowcount', String(sources.length + 1));
  table.setAttribute('aria-colcount', String(targets.length + 1));
  move(Math.min(focus[0], sources.length), Math.min(focus[1], targets.length), false);
  byId('shown').textContent = number(shown.length) + ' of ' + number(total) + ' pairs';
  list();
  return true;
};
const cellAt = (row, column) => table.rows[row] && table.rows[row].cells[column];
const move = (row, column, take) => {
  const old = cellAt(focus[0], focus[1]);
  if (old) old.tabIndex = -1;
  for (const other of table.querySelectorAll('[tabindex="0"]')) other.tabIndex = -1;
  const next = cellAt(row, column);
  if (!next) return;
  focus = [row, column];
  next.tabIndex = 0;
  if (take) next.focus();
};
const item = (i) => {
  const li = document.createElement('li');
  const state = edges[i * STEP + 3], note = data.notes[edges[i * STEP + 4]];
  const sign = make('span', signs[state] + ' ', 'sign ' + data.states[state]);
  sign.setAttribute('aria-label', words[state]);
  sign.setAttribute('role', 'img');
  li.append(sign, make('code', peers[edges[i * STEP]] + ' → ' + peers[edges[i * STEP + 1]]), ' ', make('strong', data.ports[edges[i * STEP + 2]]));
  if (note !== '') li.append(make('span', note, 'note'));
  return li;
};
const MANY = 200;
const fill = (ul, found) => {
  ul.replaceChildren(...found.slice(0, MANY).map(item));
  if (found.length > MANY) ul.append(make('li', 'and ' + number(found.length - MANY) + ' more; filter to see them'));
};
const list = () => fill(byId('list'), shown);
const tell = (td) => {
  const found = cells.get(td.dataset.at);
  if (!found) return;
  byId('what').textContent = td.getAttribute('aria-label');
  fill(byId('details'), found);
  say(td.getAttribute('aria-label'));
};
const toggle = (th) => {
  const set = open[th.dataset.axis], group = Number(th.dataset.group);
  if (set.has(group)) set.delete(group); else set.add(group);
  if (!draw()) {
    if (set.has(group)) set.delete(group); else set.add(group);
    draw();
    say('Too many cells at once: close another namespace, or filter.');
    byId('warning').textContent = 'Too many cells at once: close another namespace, or filter.';
  } else byId('warning').textContent = '';
  const again = table.querySelector('th[data-axis=' + th.dataset.axis + '][data-group="' + group + '"]');
  if (again) move(again.parentNode.rowIndex, again.cellIndex, true);
};
const act = (cell) => {
  if (cell.dataset.group !== undefined) toggle(cell);
  else if (cell.dataset.at !== undefined) tell(cell);
};
table.addEventListener('click', (event) => {
  const cell = event.target.closest('th,td');
  if (!cell) return;
  move(cell.parentNode.rowIndex, cell.cellIndex, false);
  act(cell);
});
table.addEventListener('keydown', (event) => {
  const cell = event.target.closest('th,td');
  if (!cell || event.ctrlKey || event.metaKey || event.altKey) return;
  let row = cell.parentNode.rowIndex, column = cell.cellIndex;
  const last = table.rows.length - 1, end = table.rows[0].cells.length - 1;
  switch (event.key) {
    case 'ArrowDown': row = Math.min(last, row + 1); break;
    case 'ArrowUp': row = Math.max(0, row - 1); break;
    case 'ArrowRight': column = Math.min(end, column + 1); break;
    case 'ArrowLeft': column = Math.max(0, column - 1); break;
    case 'PageDown': row = Math.min(last, row + 20); break;
    case 'PageUp': row = Math.max(0, row - 20); break;
    case 'Home': column = 0; break;
    case 'End': column = end; break;
    case 'Enter': case ' ': event.preventDefault(); act(cell); return;
    default: return;
  }
  event.preventDefault();
  move(row, column, true);
});
let waiting;
byId('filter').addEventListener('input', (event) => {
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    filter = event.target.value.trim().toLowerCase();
    byId('warning').textContent = draw() ? '' : 'Too many cells at once: close a namespace.';
    say(byId('shown').textContent);
  }, 150);
});
byId('close').addEventListener('click', () => { open.rows.clear(); open.columns.clear(); draw(); say('All namespaces are closed.'); });
byId('theme').addEventListener('click', (event) => {
  const dark = root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  root.dataset.theme = dark ? 'light' : 'dark';
  event.target.setAttribute('aria-pressed', String(!dark));
});
const few = peers.length <= 40;
if (few) data.groups.forEach((_, g) => { open.rows.add(g); open.columns.add(g); });
draw();
})();
`;
