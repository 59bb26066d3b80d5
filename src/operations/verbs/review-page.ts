import { htmlPage, markup } from '#formats';
import type { ReviewOutput } from '../review.ts';

/** The register as one page for an auditor: no script, nothing from elsewhere, fit to be printed. */
export function registerPage(result: ReviewOutput, summary: string): string {
  const title = `Register of declared flows: ${result.project}`;
  const cell = (text: string | undefined): string =>
    text === undefined || text === '' ? '<td><span class="none">none</span></td>' : `<td>${markup(text)}</td>`;
  const levelOf = new Map(result.findings.map(({ code, level }) => [code, level]));
  const rows = result.register.map((row) => {
    const marks = row.findings
      .map(
        (code) =>
          `<li class="${levelOf.get(code) ?? 'note'}">${levelOf.get(code) ?? 'note'}: ${markup(code.replace('register.', ''))}</li>`,
      )
      .join('');
    return `<tr><th scope="row"><code>${markup(`${row.from} → ${row.to}`)}</code><br><code>${markup(row.ports.join(', '))}</code></th>${[
      row.reason,
      row.owner,
      row.approver,
      row.ticket,
      row['review-by'],
      row.expires,
      ...(result.observed ? [row['last-use']] : []),
      row['signed-by'].join(', '),
    ]
      .map(cell)
      .join('')}<td>${marks === '' ? 'in order' : `<ul>${marks}</ul>`}</td></tr>`;
  });
  const head = [
    'Flow',
    'Reason',
    'Owner',
    'Approver',
    'Ticket',
    'Review by',
    'Expires',
    ...(result.observed ? ['Last use'] : []),
    'Signed by',
    'State',
  ];
  return htmlPage({
    title,
    style: STYLE,
    body: `<main>
<h1>${markup(title)}</h1>
<p>On ${markup(result.at)}, version <code>${markup(result.version)}</code>. ${markup(summary)}.</p>
<div class="scroll" tabindex="0" role="region" aria-label="Flows"><table>
<thead><tr>${head.map((one) => `<th scope="col">${one}</th>`).join('')}</tr></thead>
<tbody>
${rows.join('\n')}
</tbody>
</table></div>
<h2>Owners</h2>
<ul>${result.owners
      .map(
        ({ owner, flows, signed, by, at }) =>
          `<li>${markup(owner)}: ${signed} of ${flows} flows are as they were signed${by.length === 0 ? '' : ` by ${markup(by.join(', '))}`}${at === undefined ? '' : ` at ${markup(at)}`}</li>`,
      )
      .join('')}</ul>
<h2>Findings</h2>
${result.findings.length === 0 ? '<p>None.</p>' : `<ul>${result.findings.map(({ level, where, detail }) => `<li class="${level}">${level}: ${markup(detail)} <code>${markup(where)}</code></li>`).join('')}</ul>`}
</main>`,
  });
}

/** Text has 4.5 to 1 at least against what it stands on (WCAG 2.2, 1.4.3). */
const STYLE = `
:root{color-scheme:light dark;--page:#fafaf8;--raised:#fff;--ink:#1c2024;--quiet:#5a626b;--line:#e0e2e0;--error:#a1182e;--warning:#76500a}
@media screen and (prefers-color-scheme:dark){:root{--page:#101316;--raised:#171b1f;--ink:#e6e9ec;--quiet:#a2abb5;--line:#2c3238;--error:#f59aa3;--warning:#e0b565}}
body{margin:0;background:var(--page);color:var(--ink);font:.9375rem/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","Liberation Sans",sans-serif}
main{padding:1.25rem 1.5rem 3rem}
h1{font-size:1.5rem;line-height:1.25;margin:0 0 .25rem;overflow-wrap:anywhere}
h2{font-size:1.0625rem;margin:1.5rem 0 .25rem}
p{margin:.25rem 0 .75rem;color:var(--quiet)}
.scroll{overflow:auto;border:1px solid var(--line);border-radius:.375rem;background:var(--raised)}
table{border-collapse:collapse;font-size:.8125rem;inline-size:100%}
th,td{text-align:start;vertical-align:top;padding:.375rem .625rem;border-block-start:1px solid var(--line);overflow-wrap:anywhere;min-inline-size:5rem}
thead th{color:var(--quiet);border:0;white-space:nowrap}
tbody th{font-weight:400;min-inline-size:9rem}
code{font:.75rem ui-monospace,"DejaVu Sans Mono",Consolas,monospace}
ul{margin:0;padding-inline-start:1.125rem}
td ul{list-style:none;padding:0}
.none{color:var(--quiet)}
.error{color:var(--error);font-weight:600}
.warning{color:var(--warning)}
:focus-visible{outline:.1875rem solid var(--ink)}
@media print{.scroll{overflow:visible;border:0}}
`;
