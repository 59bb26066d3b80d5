/**
 * What the page does beyond being read: copy, save, sort, filter, theme. Without it everything is there to be read. It
 * asks nothing of any network and the page's policy allows no more than this one text, by its digest.
 */
export const SCRIPT = `
'use strict';
const root = document.documentElement;
root.classList.add('scripted');
const said = document.getElementById('said');
let silence;
function say(words) {
  clearTimeout(silence);
  said.textContent = words;
  silence = setTimeout(() => { said.textContent = ''; }, 2500);
}

async function copy(button) {
  const value = button.dataset.copy;
  try {
    await navigator.clipboard.writeText(value);
    say('Copied');
  } catch {
    const area = document.createElement('textarea');
    area.value = value;
    area.setAttribute('aria-hidden', 'true');
    document.body.append(area);
    area.select();
    const done = document.execCommand('copy');
    area.remove();
    button.focus();
    say(done ? 'Copied' : 'This browser does not let a page copy');
  }
}

function save(button) {
  const content = document.getElementById(button.dataset.save).textContent;
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([content], { type: 'text/plain' }));
  link.download = button.dataset.file;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  say('Saved as ' + button.dataset.file);
}

document.addEventListener('click', (event) => {
  const button = event.target.closest('button');
  if (button === null) return;
  if ('copy' in button.dataset) copy(button);
  if ('save' in button.dataset) save(button);
});

const theme = document.getElementById('theme');
const prefers = matchMedia('(prefers-color-scheme: dark)');
const isDark = () => (root.dataset.theme ?? (prefers.matches ? 'dark' : 'light')) === 'dark';
const showTheme = () => theme.setAttribute('aria-pressed', String(isDark()));
theme.addEventListener('click', () => { root.dataset.theme = isDark() ? 'light' : 'dark'; showTheme(); });
prefers.addEventListener('change', showTheme);
showTheme();

const collator = new Intl.Collator(undefined, { numeric: true });
function sortBy(table, head, index) {
  const down = head.getAttribute('aria-sort') === 'ascending';
  for (const other of table.tHead.rows[0].cells) other.removeAttribute('aria-sort');
  head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
  const value = (row) => row.cells[index].dataset.by ?? row.cells[index].textContent;
  const body = table.tBodies[0];
  const keyed = [...body.rows].map((row) => [value(row), row]);
  keyed.sort(([a], [b]) => (down ? collator.compare(b, a) : collator.compare(a, b)));
  body.append(...keyed.map(([, row]) => row));
  say('Sorted by ' + head.textContent + (down ? ', descending' : ', ascending'));
}
for (const head of document.querySelectorAll('th[data-sort]')) {
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'sort';
  button.append(...head.childNodes);
  head.append(button);
  button.addEventListener('click', () => sortBy(head.closest('table'), head, head.cellIndex));
}

for (const filter of document.querySelectorAll('[data-filter]')) {
  const rows = [...document.getElementById(filter.dataset.filter).tBodies[0].rows];
  const search = filter.querySelector('input');
  const choices = [...filter.querySelectorAll('select')];
  const shown = filter.querySelector('.shown');
  const apply = () => {
    const words = search.value.trim().toLowerCase();
    let count = 0;
    for (const row of rows) {
      const fits = choices.every((choice) => choice.value === '' || row.getAttribute('data-is-' + choice.dataset.choice) === choice.value);
      row.hidden = !fits || (words !== '' && !row.textContent.toLowerCase().includes(words));
      if (!row.hidden) count += 1;
    }
    shown.textContent = count === rows.length ? count + ' shown' : count + ' of ' + rows.length + ' shown';
  };
  search.addEventListener('input', apply);
  for (const choice of choices) choice.addEventListener('change', apply);
}

let closed = [];
addEventListener('beforeprint', () => {
  closed = [...document.querySelectorAll('#steps-table details:not([open]), #logs ~ details:not([open])')];
  for (const one of closed) one.open = true;
});
addEventListener('afterprint', () => { for (const one of closed) one.open = false; });
`;
