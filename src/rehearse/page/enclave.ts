import { size } from '../figures.ts';
import type { Report, ServiceLog } from '../report.ts';
import { copyButton, cutNote, mark, saveButton, type Section, table } from './parts.ts';
import { count, plural, text } from './text.ts';

const SERVICES = 50;
/** Characters of one service's log that a page shows. */
const LOG = 100_000;
const VISIBLE = 200;

const STATES = {
  'in-force': ['good', 'in force'],
  absent: ['bad', 'not there'],
  unknown: ['open', 'unknown'],
} as const;

/** What held programs in, and what it did not hold. Undefined where there was no enclave. */
export function enclaveSection({ enclave }: Report): Section | undefined {
  if (enclave === undefined) return undefined;
  const { enforcer, kernel, machines, limits, visible } = enclave;
  const facts: [string, string][] = [
    ['Enforced by', enforcer],
    ['Kernel', kernel === '' ? 'unknown' : kernel],
    ['Machines', count(machines)],
  ];
  const html = `<dl class="plain row">${facts.map(([name, value]) => `<div><dt>${text(name)}</dt><dd>${text(value)}</dd></div>`).join('')}</dl>${table(
    {
      id: 'limits-table',
      caption: 'What was in force. What could not be found out is unknown, and not taken as there',
      columns: [{ title: 'State' }, { title: 'Measure', wide: true }],
      rows: limits.map(({ what, state, detail }) => {
        const [tone, word] = STATES[state];
        return {
          cells: [
            { html: mark(tone, word) },
            { html: `<span class="title">${text(what)}</span><span class="detail">${text(detail, 1000)}</span>` },
          ],
        };
      }),
      head: 1,
    },
  )}${
    visible.length === 0
      ? ''
      : `<h3>What of the host could be seen</h3><ul class="plain">${visible
          .slice(0, VISIBLE)
          .map((path) => `<li><code>${text(path)}</code></li>`)
          .join('')}</ul>${cutNote(Math.min(VISIBLE, visible.length), visible.length, '')}`
  }`;
  const lacking = limits.filter(({ state }) => state !== 'in-force').length;
  const note = lacking === 0 ? 'all in force' : `${lacking} not in force`;
  return { id: 'enclave', title: 'The enclave and its limits', short: 'Enclave', note, html };
}

/** What services wrote. Undefined where there was none. */
export function logsSection({ logs }: Report): Section | undefined {
  if (logs.length === 0) return undefined;
  const shown = logs.slice(0, SERVICES);
  return {
    id: 'logs',
    title: 'Logs of the services',
    short: 'Logs',
    note: plural(logs.length, 'service'),
    html: shown.map(logDetails).join('\n') + cutNote(shown.length, logs.length, ''),
  };
}

function logDetails({ service, lines, bytes, text: log, cut }: ServiceLog, index: number): string {
  const amount = `${plural(lines, 'line')}, ${size(bytes)}${cut ? '; the last of it' : ''}`;
  const id = `log-${index}`;
  const content =
    log === ''
      ? '<p>It wrote nothing.</p>'
      : `<pre tabindex="0" role="group" aria-label="Log of ${text(service)}"><code id="${id}">${text(log, LOG)}</code></pre><p>${copyButton(log.slice(0, LOG), `Copy the log of ${service}`)} ${saveButton(id, `${index}.log`, `Save the log of ${service}`)}</p>`;
  return `<details><summary><strong>${text(service)}</strong> <span class="note">${text(amount)}</span></summary>${content}</details>`;
}
