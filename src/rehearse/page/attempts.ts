import { duration } from '../figures.ts';
import type { Report, ReportedAttempt, RuntimeHost } from '../report.ts';
import { cutNote, mark, type Row, type Section, table, type Tone } from './parts.ts';
import { count, plural, shortCommand, text } from './text.ts';

/** Attempts and hosts that a page shows. */
const ATTEMPTS = 1000;
const HOSTS = 300;

const KINDS: Readonly<Record<ReportedAttempt['kind'], string>> = {
  name: 'Name',
  call: 'Call',
  edge: 'Edge',
  socket: 'Socket',
  read: 'Read',
  write: 'Write',
};

/** Everything that tried to reach what it must not: what nobody asked for first. */
export function attemptsSection({ attempts }: Report): Section {
  const unasked = attempts.filter(({ deliberate }) => !deliberate);
  const shown = [...attempts]
    .sort((a, b) => Number(a.deliberate) - Number(b.deliberate) || (a.deliberate ? 0 : b.count - a.count))
    .slice(0, ATTEMPTS);
  const kinds = [...new Set(shown.map(({ kind }) => kind))];
  const none = unasked.length === 0 ? '<p>Nothing tried to reach the outside by itself.</p>' : '';
  const html = `<p>No route leads out of the enclave: each attempt ended in it and was recorded.</p>${none}${
    shown.length === 0
      ? ''
      : table({
          id: 'attempts-table',
          caption:
            'Who tried what, what it was answered, and how long that held it up. An edge is another machine, without a declared flow',
          columns: [
            { title: 'Asked for?', sort: true },
            { title: 'What' },
            { title: 'Target', wide: true, sort: true },
            { title: 'Who', sort: true, span: true },
            { title: 'Answer' },
            { title: 'Times', number: true, sort: true },
            { title: 'Held up', number: true, sort: true },
          ],
          rows: shown.map(attemptRow),
          head: 2,
          filter: {
            label: 'Search attempts',
            choices: [
              { key: 'kind', label: 'What', values: kinds.map((kind) => [kind, KINDS[kind]]) },
              {
                key: 'asked',
                label: 'Asked for?',
                values: [
                  ['no', 'By itself'],
                  ['yes', 'On purpose'],
                ],
              },
            ],
          },
        })
  }${cutNote(shown.length, attempts.length, ': those that nobody asked for first, the most frequent before the others')}`;
  return {
    id: 'attempts',
    title: 'Attempts to call out',
    short: 'Attempts',
    note: `${count(unasked.length)} unasked`,
    html,
  };
}

function attemptRow(attempt: ReportedAttempt): Row {
  const { deliberate, kind, address, port, protocol, firstBytes, process, request, speaks, stalledMs, leaks } = attempt;
  const name = attempt.to ?? attempt.serverName ?? attempt.name ?? attempt.path ?? address ?? '?';
  const place = [address ?? '', port === undefined ? '' : `:${port}`, `/${protocol}`].join('');
  const facts = [
    place === `/${protocol}` ? protocol : place,
    ...(request === undefined ? [] : [request]),
    ...(speaks === undefined || speaks === '' ? [] : [`speaks ${speaks}`]),
  ];
  const target = [
    `<span class="title">${text(name)}</span>`,
    `<span class="detail"><code>${text(facts.join(' · '))}</code></span>`,
    leaks === undefined ? '' : `<span class="detail">${mark('bad', `with the content of ${leaks}`)}</span>`,
    firstBytes === undefined || firstBytes === ''
      ? ''
      : `<details><summary>First bytes</summary><p><code>${text(firstBytes)}</code></p><p><code>${text(readable(firstBytes))}</code></p></details>`,
  ].join('');
  const who = [
    `<span class="title">${text(attempt.from)}</span>`,
    attempt.package === undefined ? '' : `<span class="detail">${text(attempt.package)}</span>`,
    process === undefined ? '' : `<span class="detail"><code>${shortCommand(process.command)}</code></span>`,
  ].join('');
  return {
    choices: { kind, asked: deliberate ? 'yes' : 'no' },
    cells: [
      { html: deliberate ? mark('quiet', 'on purpose') : mark('open', 'by itself') },
      { html: KINDS[kind] },
      { html: target },
      { html: who },
      { html: attempt.answer === undefined ? '' : text(attempt.answer.replace('-', ' ')) },
      { html: count(attempt.count), sort: attempt.count },
      { html: stalledMs === undefined ? '' : duration(stalledMs), sort: stalledMs ?? -1 },
    ],
  };
}

/** Hex as the letters that it may be; a dot for what is none. */
function readable(hex: string): string {
  return Buffer.from(hex, 'hex')
    .toString('latin1')
    .replace(/[^\u0020-\u007e]/g, '.');
}

/** What needs somebody's attention first. */
const VERDICTS: Readonly<Record<RuntimeHost['verdict'], readonly [Tone, string]>> = {
  needed: ['bad', 'needed'],
  unknown: ['open', 'unknown'],
  optional: ['open', 'optional'],
  silenced: ['good', 'silenced'],
};

/** Hosts that software wants at run time. Undefined where it wants none. */
export function hostsSection({ runtimeHosts }: Report): Section | undefined {
  if (runtimeHosts.length === 0) return undefined;
  const order = Object.keys(VERDICTS);
  const shown = [...runtimeHosts].sort((a, b) => order.indexOf(a.verdict) - order.indexOf(b.verdict)).slice(0, HOSTS);
  const html = `<p>Needed: the software does not work without the host. Optional: it does. Silenced: a setting keeps it from asking. Unknown: whether it works was not tried.</p>${table(
    {
      id: 'hosts-table',
      caption: 'Hosts that the software wants while it runs',
      columns: [
        { title: 'Verdict' },
        { title: 'Host', wide: true },
        { title: 'Wanted by' },
        { title: 'Setting that silences it' },
        { title: 'Times', number: true },
      ],
      rows: shown.map(({ host, port, protocol, verdict, by, count: times, setting, what }) => {
        const [tone, word] = VERDICTS[verdict];
        const place = verdict === 'silenced' ? '' : `${port === undefined ? '' : `port ${port}, `}${protocol}`;
        const facts = [...(what === undefined || what === host ? [] : [what]), ...(place === '' ? [] : [place])];
        return {
          cells: [
            { html: mark(tone, word) },
            {
              html: `<span class="title">${text(host)}</span>${facts.length === 0 ? '' : `<span class="detail">${text(facts.join(' · '))}</span>`}`,
            },
            { html: text(by.join(', ')) },
            { html: setting === undefined ? '' : `<code>${text(setting)}</code>` },
            { html: times === 0 ? '' : count(times) },
          ],
        };
      }),
      head: 1,
    },
  )}${cutNote(shown.length, runtimeHosts.length, '')}`;
  return { id: 'hosts', title: 'Hosts at run time', short: 'Hosts', note: plural(runtimeHosts.length, 'host'), html };
}
