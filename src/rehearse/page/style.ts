import { dark, light, properties } from './palette.ts';

/**
 * Calm and dense: one column of reading width with the sections beside it where there is room; tables become cards on
 * narrow screens; colour only repeats what a word or a shape says; nothing moves.
 */
export const STYLE = `
:root{color-scheme:light;${properties(light)};--mono:ui-monospace,"SF Mono","Cascadia Mono","JetBrains Mono","DejaVu Sans Mono",Consolas,monospace}
@media screen and (prefers-color-scheme:dark){:root:not([data-theme=light]){color-scheme:dark;${properties(dark)}}}
@media screen{:root[data-theme=dark]{color-scheme:dark;${properties(dark)}}}
*{box-sizing:border-box}
html{scroll-padding-block-start:1rem;-webkit-text-size-adjust:100%}
body{margin:0;overflow-wrap:break-word;background:var(--page);color:var(--ink);font:.9375rem/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","Liberation Sans",sans-serif}
h1,h2,h3,h4,p,dl,dd,ul,figure{margin:0}
h1{font-size:1.75rem;line-height:1.2;font-weight:650;letter-spacing:-.015em;overflow-wrap:anywhere}
h2{font-size:1.125rem;line-height:1.3;font-weight:650;letter-spacing:-.005em;margin-block-end:.5rem}
h3{font-size:.9375rem;font-weight:650;margin-block:1.5rem .5rem}
h4{font-size:.8125rem;font-weight:650;color:var(--quiet);margin-block:.75rem .25rem}
h2:focus-visible{outline-offset:.25rem}
p+p,p+table,p+dl,.digest+p{margin-block-start:.5rem}
a{color:var(--link);text-underline-offset:.15em}
code,pre,td,th,dd,summary,li p{unicode-bidi:isolate}
code,pre{font-family:var(--mono);font-size:.8125rem;overflow-wrap:anywhere}
pre{background:var(--raised);border:1px solid var(--line);border-radius:.375rem;padding:.75rem;margin-block:.25rem .5rem;max-block-size:24rem;overflow:auto;white-space:pre-wrap}
.skip{position:absolute;inset-inline-start:1rem;inset-block-start:-5rem;z-index:2;padding:.5rem .75rem;background:var(--raised);border:1px solid var(--control);border-radius:.375rem}
.skip:focus{inset-block-start:1rem}
:focus-visible{outline:.1875rem solid var(--link);outline-offset:.125rem;border-radius:.1875rem}

.frame{max-inline-size:86rem;margin-inline:auto;padding:1.25rem 1.5rem 3rem}
.top{display:flex;align-items:center;justify-content:space-between;gap:1rem;padding-block-end:1rem;margin-block-end:1.5rem;border-block-end:1px solid var(--line);color:var(--quiet);font-size:.8125rem}
.top strong{color:var(--ink);font-weight:650;letter-spacing:.01em}
.meta{color:var(--quiet);margin-block:.375rem 1.25rem}
.verdict{display:grid;grid-template-columns:auto 1fr;gap:.125rem 1rem;align-items:center;padding:1rem 1.25rem;border:1px solid var(--tone);border-inline-start-width:.375rem;border-radius:.5rem;background:var(--tone-back)}
.verdict svg{grid-row:span 2;color:var(--tone)}
.verdict .question{color:var(--ink)}
.verdict .answer{font-size:1.375rem;line-height:1.25;font-weight:650;color:var(--tone)}
.good{--tone:var(--good);--tone-back:var(--good-back)}.bad{--tone:var(--bad);--tone-back:var(--bad-back)}.open{--tone:var(--open);--tone-back:var(--open-back)}.quiet{--tone:var(--quiet);--tone-back:transparent}
strong.bad{color:var(--bad)}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));gap:1px;margin-block:1rem 0;background:var(--raised);border:1px solid var(--line);border-radius:.5rem;overflow:hidden}
.facts div{outline:1px solid var(--line);padding:.625rem .875rem;display:flex;flex-direction:column-reverse;justify-content:flex-end}
.facts dt{color:var(--quiet);font-size:.8125rem;line-height:1.35}
.facts dd{font-size:1.1875rem;font-weight:600;font-variant-numeric:tabular-nums}

.columns{display:grid;grid-template-columns:minmax(0,1fr);gap:0 2.5rem;margin-block-start:1.75rem}
nav ul{list-style:none;padding:0;display:flex;flex-wrap:wrap;gap:.125rem .25rem}
nav a{display:flex;gap:.5rem;justify-content:space-between;align-items:baseline;min-block-size:1.75rem;padding:.1875rem .5rem;border-radius:.3125rem;color:var(--ink);text-decoration:none}
nav a:hover{background:var(--line)}
nav a span{color:var(--quiet);font-size:.8125rem;font-variant-numeric:tabular-nums;white-space:nowrap}
nav a:hover span{color:var(--ink)}
section{margin-block:0 2.75rem}
nav+main section:first-child{margin-block-start:1.5rem}
.note{color:var(--quiet);font-size:.8125rem}
.legend{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;color:var(--quiet);font-size:.8125rem}
.legend span{display:inline-flex;align-items:center;gap:.375rem}

table{border-collapse:collapse;font-size:.875rem;line-height:1.45;inline-size:100%;margin-block:.5rem;background:var(--raised);border:1px solid var(--line)}
caption{text-align:start;color:var(--quiet);font-size:.8125rem;padding-block:.25rem .5rem}
th,td{text-align:start;vertical-align:top;padding:.375rem .625rem;border-block-start:1px solid var(--line)}
thead th{line-height:1.5rem;font-size:.8125rem;color:var(--quiet);font-weight:600;white-space:nowrap;vertical-align:bottom;border-block-start:0;background:var(--page)}
th:first-child:not(.wide),td:first-child{inline-size:1%}
tbody th{font-weight:400}
.number{inline-size:1%;text-align:end;font-variant-numeric:tabular-nums;white-space:nowrap}
.wide{inline-size:46%;overflow-wrap:anywhere}
.span{inline-size:24%}
.title{display:block}
.detail{display:block;color:var(--quiet);font-size:.8125rem;line-height:1.4}
.detail code{font-size:.75rem}
.mark{display:inline-flex;align-items:center;gap:.375rem;font-weight:600;font-size:.8125rem;line-height:1.5rem;color:var(--tone);white-space:nowrap}
.mark svg,.verdict svg{fill:none;stroke:currentColor;stroke-width:2;stroke-linecap:round;stroke-linejoin:round;flex:none}
.digest{white-space:nowrap}
p .digest{white-space:normal}
.on-paper{display:none}
.lane,.axis{display:block;min-inline-size:9rem;overflow:visible;margin-block-start:.25rem}
.axis{margin:0}
.axis text{fill:var(--quiet);font-size:.6875rem;font-weight:400}
.tick{stroke:var(--line);stroke-width:1}
rect.outside{fill:var(--outside)}rect.inside{fill:var(--inside)}rect.enclave{fill:var(--enclave)}rect.both{fill:var(--both)}
details{margin-block-start:.125rem}
section>details{margin:0;border-block-start:1px solid var(--line)}
p+details{margin-block-start:.625rem}
section>details:last-of-type{border-block-end:1px solid var(--line)}
section>details>summary{padding-block:.4375rem}
summary{cursor:pointer;min-block-size:1.5rem;color:var(--ink)}
th details{margin:0}
th details>summary{display:list-item;list-style:none;position:relative;min-block-size:1.5rem;padding-inline-start:1rem}
th summary::-webkit-details-marker{display:none}
th details>summary::before{content:"";position:absolute;inset-inline-start:.0625rem;inset-block-start:.4375rem;border:.25rem solid transparent;border-inline-start:.375rem solid var(--control)}
th details[open]>summary::before{inset-inline-start:-.0625rem;inset-block-start:.5625rem;border-color:var(--control) transparent transparent;border-inline-start-width:.25rem;border-block-start-width:.375rem}
th summary:hover .title{text-decoration:underline;text-decoration-color:var(--control);text-underline-offset:.2em}
th details>p,.plain-title,.plain-title+.detail,th details+.detail{padding-inline-start:1rem}
th .title~details>summary{font-size:.8125rem;color:var(--quiet);inline-size:fit-content}
.command{font-size:.75rem}
td summary{color:var(--quiet);font-size:.8125rem;line-height:1.5rem;inline-size:fit-content;padding-inline-end:.25rem}
details p{margin-block:.25rem}
.reasons{padding:0;list-style:none}
.reasons li{padding:.625rem .875rem;border:1px solid var(--bad);border-inline-start-width:.25rem;border-radius:.375rem;background:var(--bad-back);overflow-wrap:anywhere}
.reasons li+li{margin-block-start:.5rem}
dl.plain div{padding-block:.25rem;overflow-wrap:anywhere}
dl.row{display:flex;flex-wrap:wrap;gap:.25rem 2.5rem;margin-block-end:.5rem}
dl.plain dt{color:var(--quiet);font-size:.8125rem}
ul.plain{padding-inline-start:1.25rem}

button,input,select{font:inherit;font-size:.8125rem;color:var(--ink);background:var(--raised);border:1px solid var(--control);border-radius:.3125rem;min-block-size:1.75rem}
button{padding:.125rem .625rem;cursor:pointer}
button:hover{border-color:var(--ink)}
button[aria-pressed=true]{background:var(--ink);color:var(--page)}
button.small{min-block-size:1.5rem;line-height:1.25rem;padding:.0625rem .5rem;font-size:.75rem}
button.sort{line-height:1.5rem;border:0;background:none;padding:0;min-block-size:1.5rem;color:inherit;font-weight:inherit;white-space:nowrap}
button.sort::after{content:"\\2195";content:"\\2195" / "";margin-inline-start:.25rem;font-weight:400;color:var(--control)}
button.sort:hover{color:var(--ink)}
[aria-sort] button.sort{color:var(--ink)}
[aria-sort] button.sort::after{color:var(--ink)}
[aria-sort=ascending] button.sort::after{content:"\\2191";content:"\\2191" / ""}
[aria-sort=descending] button.sort::after{content:"\\2193";content:"\\2193" / ""}
input,select{padding:.125rem .5rem}
input[type=search]{inline-size:14rem;max-inline-size:100%}
.filter{display:flex;flex-wrap:wrap;align-items:center;gap:.5rem 1rem;margin-block:.75rem .25rem;font-size:.8125rem}
.filter label{display:inline-flex;flex-wrap:wrap;align-items:center;gap:.375rem}
.filter .shown{margin-inline-start:auto;color:var(--quiet);font-variant-numeric:tabular-nums}
html:not(.scripted) .needs-script{display:none}
[hidden]{display:none!important}
#said:not(:empty){position:fixed;inset-block-end:1rem;inset-inline-end:1rem;z-index:2;padding:.5rem .875rem;background:var(--ink);color:var(--page);border-radius:.375rem;font-size:.875rem}
footer{overflow-wrap:anywhere;border-block-start:1px solid var(--line);padding-block-start:1rem;color:var(--quiet);font-size:.8125rem}

@media (min-width:68rem){
.columns{grid-template-columns:13.5rem minmax(0,1fr)}
nav{position:sticky;inset-block-start:1rem;align-self:start;margin-inline-start:-.5rem;max-block-size:calc(100vh - 2rem);overflow:auto}
nav ul{flex-direction:column}
nav+main section:first-child{margin-block-start:0}
}
@media screen and (max-width:47.99rem){
.frame{padding-inline:1rem}
h1{font-size:1.5rem}
table,tbody,td,tbody th,caption{display:block;inline-size:auto}
table{border:0;background:none}
thead{display:block}
thead tr{display:flex;flex-wrap:wrap;gap:0 1rem}
thead th{position:absolute;inline-size:1px!important;block-size:1px;padding:0;border:0;overflow:hidden;clip-path:inset(50%)}
.scripted thead th[data-sort]{position:static;inline-size:auto!important;block-size:auto;padding:0 0 .25rem;clip-path:none;background:none}
thead th svg{display:none}
tbody tr{background:var(--raised);border:1px solid var(--line);border-radius:.375rem;padding:.5rem .75rem;margin-block-end:.5rem}
td,tbody th{border:0;padding:.125rem 0;text-align:start}
td[data-label]{display:grid;grid-template-columns:6.5rem minmax(0,1fr);gap:.5rem;align-items:baseline}
td[data-label]>*{grid-column:2}
td:first-child{inline-size:auto}
td[data-label]::before{content:attr(data-label);color:var(--quiet);font-size:.8125rem}
td[data-empty]{display:none}
tbody tr{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));gap:0 1rem}
tbody th,td{grid-column:1/-1}
td.number{grid-column:auto;text-align:start;grid-template-columns:4rem minmax(0,1fr)}
td.number,.wide,.span{inline-size:auto}
tbody th{margin-block-end:.125rem}
code{overflow-wrap:anywhere}
.digest{white-space:normal}
.lane{margin-block-start:0}
.verdict{padding:.875rem 1rem}
input[type=search]{inline-size:100%}
.filter label:first-child{inline-size:100%}
}
@media (forced-colors:active){rect{fill:CanvasText}.tick{stroke:GrayText}.mark svg{stroke:CanvasText}}
@media print{
body{background:#fff;font-size:9pt}
.frame{max-inline-size:none;padding:0}
nav,.skip,button,.filter,#said,.on-screen{display:none!important}
.on-paper{display:inline}
.digest{white-space:normal;overflow-wrap:anywhere}
section{margin-block-end:1.25rem}
tr,li,.verdict{break-inside:avoid}
h2,h3,caption{break-after:avoid}
pre{max-block-size:none}
.lane,.axis{min-inline-size:6rem}
table{font-size:8.5pt}
th,td{padding:.25rem .375rem}
rect,.verdict,.facts,.reasons li{print-color-adjust:exact;-webkit-print-color-adjust:exact}
}
`;
