export const LIGHT =
  '--page:#fafaf8;--raised:#fff;--ink:#1c2024;--quiet:#5a626b;--line:#e0e2e0;--control:#7c858f;--link:#1d4f91;--open:#1d6a82;--depends:#76500a;--opened:#a1182e;--closed:#17643a;--changed:#1d4f91;--over:#eef1f3';
export const DARK =
  '--page:#101316;--raised:#171b1f;--ink:#e6e9ec;--quiet:#a2abb5;--line:#2c3238;--control:#757f8a;--link:#8fb8f0;--open:#6fbdd4;--depends:#e0b565;--opened:#f59aa3;--closed:#7fcf9c;--changed:#8fb8f0;--over:#20262c';

/** Text has 4.5 to 1 at least, shapes 3 to 1 (WCAG 2.2, 1.4.3 and 1.4.11); what a colour says a sign says too. */
export const STYLE = `
:root{color-scheme:light;${LIGHT};--mono:ui-monospace,"SF Mono","Cascadia Mono","JetBrains Mono","DejaVu Sans Mono",Consolas,monospace}
@media screen and (prefers-color-scheme:dark){:root:not([data-theme=light]){color-scheme:dark;${DARK}}}
:root[data-theme=dark]{color-scheme:dark;${DARK}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:.9375rem/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","Liberation Sans",sans-serif}
h1,h2,p,ul{margin:0}
h1{font-size:1.5rem;line-height:1.25;font-weight:650;overflow-wrap:anywhere}
h2{font-size:1.0625rem;font-weight:650}
.frame{padding:1.25rem 1.5rem 3rem;max-inline-size:110rem;margin-inline:auto}
.top{display:flex;justify-content:space-between;align-items:center;gap:1rem;padding-block-end:.75rem;margin-block-end:1rem;border-block-end:1px solid var(--line);color:var(--quiet);font-size:.8125rem}
.top strong{color:var(--ink)}
.facts{color:var(--quiet);margin-block:.25rem .75rem}
.skip{position:absolute;inset-inline-start:1rem;inset-block-start:-5rem;padding:.5rem .75rem;background:var(--raised);border:1px solid var(--control)}
.skip:focus{inset-block-start:1rem;z-index:9}
:focus-visible{outline:.1875rem solid var(--link);outline-offset:-.125rem}
button,input{font:inherit;font-size:.8125rem;color:var(--ink);background:var(--raised);border:1px solid var(--control);border-radius:.3125rem;min-block-size:1.75rem;padding:.125rem .625rem}
button{cursor:pointer}
button[aria-pressed=true]{background:var(--ink);color:var(--page)}
.tools{display:flex;flex-wrap:wrap;gap:.5rem 1rem;align-items:center;margin-block:.75rem;font-size:.8125rem}
.tools label{display:inline-flex;gap:.375rem;align-items:center}
input[type=search]{inline-size:16rem;max-inline-size:100%}
.legend{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;list-style:none;padding:0;color:var(--quiet);font-size:.8125rem}
.sign{font-family:var(--mono);font-weight:700}
.open{color:var(--open)}.depends,.certainty{color:var(--depends)}.opened{color:var(--opened)}.closed{color:var(--closed)}.changed{color:var(--changed)}
.help{color:var(--quiet);font-size:.8125rem;margin-block:.25rem .5rem}
.columns{display:grid;grid-template-columns:minmax(0,1fr) 22rem;gap:1.25rem;align-items:start}
.scroll{overflow:auto;max-block-size:75vh;border:1px solid var(--line);border-radius:.375rem;background:var(--raised)}
.scroll table{border-collapse:separate;border-spacing:0;font-size:.8125rem}
.scroll th,.scroll td{padding:0;border-block-end:1px solid var(--line);border-inline-end:1px solid var(--line)}
.scroll thead th{position:sticky;inset-block-start:0;z-index:2;background:var(--raised);vertical-align:bottom}
.scroll thead th:first-child{inset-inline-start:0;z-index:3;text-align:start;padding:.25rem .5rem;color:var(--quiet);font-weight:400}
.scroll tbody th{position:sticky;inset-inline-start:0;z-index:1;background:var(--raised);text-align:start;font-weight:400;white-space:nowrap;padding:.125rem .5rem;max-inline-size:24rem;overflow:hidden;text-overflow:ellipsis;font-family:var(--mono);font-size:.75rem}
.scroll th.group{font-weight:650;font-family:inherit;font-size:.8125rem}
.scroll th .in{padding-inline-start:1rem}
.down{writing-mode:vertical-rl;transform:rotate(180deg);max-block-size:13rem;overflow:hidden;text-overflow:ellipsis;white-space:nowrap;padding:.5rem .125rem;font-family:var(--mono);font-size:.75rem;font-weight:400;margin-inline:auto}
th.group .down{font-weight:650;font-family:inherit;font-size:.8125rem}
.scroll td{min-inline-size:1.75rem;block-size:1.75rem;text-align:center;font-family:var(--mono);font-size:.75rem;font-weight:700;font-variant-numeric:tabular-nums;padding-inline:.25rem;white-space:nowrap}
.scroll td.of-group{background:color-mix(in srgb,var(--line) 35%,transparent)}
.scroll td:not(:empty){cursor:pointer}
.scroll tr:hover td,.scroll td:hover{background:var(--over)}
th[aria-expanded]{cursor:pointer}
th[aria-expanded=false] .name::before{content:"▸ ";content:"▸ " / ""}
th[aria-expanded=true] .name::before{content:"▾ ";content:"▾ " / ""}
aside{position:sticky;inset-block-start:1rem;border:1px solid var(--line);border-radius:.375rem;background:var(--raised);padding:.75rem 1rem;max-block-size:75vh;overflow:auto;overflow-wrap:anywhere}
aside ul,.list ul{list-style:none;padding:0}
aside li,.list li{padding-block:.375rem;border-block-start:1px solid var(--line);font-size:.8125rem}
::placeholder{color:var(--quiet);opacity:1}
code{font-family:var(--mono);font-size:.75rem}
.note{display:block;color:var(--quiet);font-size:.75rem}
.list{margin-block-start:2rem}
#said{position:absolute;inline-size:1px;block-size:1px;overflow:hidden;clip-path:inset(50%)}
html:not(.scripted) .needs-script{display:none}
@media (max-width:60rem){.columns{grid-template-columns:minmax(0,1fr)}aside{position:static;max-block-size:none}}
@media (prefers-reduced-motion:no-preference){*{scroll-behavior:auto}}
@media print{.tools,.top button{display:none}.scroll{max-block-size:none;overflow:visible}}
`;
