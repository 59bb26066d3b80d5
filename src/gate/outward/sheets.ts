import { createHash } from 'node:crypto';
import { encodeQR } from 'qr';
import type { PaperPart } from './paper.ts';

/** What stands on every sheet, for people. */
export interface SheetTitle {
  readonly site: string;
  readonly kind: string;
  readonly level?: string;
  /** SHA-256 of the release, hexadecimal. */
  readonly sha256: string;
}

const STYLE = `
@page { size: A4; margin: 12mm }
body { margin: 0; color: #000; background: #fff; font: 10pt/1.3 sans-serif }
section { break-after: page; width: 186mm }
section:last-child { break-after: auto }
h1 { margin: 0; font-size: 13pt }
p { margin: 1mm 0 }
code { font: 9pt/1.3 monospace }
ol { display: grid; grid-template-columns: 1fr 1fr; gap: 3mm 6mm; margin: 2mm 0 0; padding: 0; list-style: none }
li { text-align: center }
svg { width: 74mm; height: 74mm }
`;

/**
 * One page of HTML that prints offline: no script, no font, no address. `title` holds no character that HTML minds: the
 * grammar of a release has none.
 */
export function sheetsPage(title: SheetTitle, parts: readonly PaperPart[]): string {
  const sheets = Map.groupBy(parts, ({ sheet }) => sheet);
  const style = `sha256-${createHash('sha256').update(STYLE).digest('base64')}`;
  const name = `${title.kind} of ${title.site}${title.level === undefined ? '' : `, level ${title.level}`}`;
  const digest = title.sha256.replace(/(.{8})(?=.)/g, '$1 ');
  const sections = [...sheets].map(
    ([sheet, codes]) => `<section>
<h1>Sallyport: ${name}</h1>
<p>Sheet ${sheet} of ${sheets.size}, parts ${codes[0]?.index ?? 0} to ${codes.at(-1)?.index ?? 0} of ${parts.length}. Scan all sheets, in any order, into one text file; then: sallyport receive --qr FILE</p>
<p>SHA-256 <code>${digest}</code></p>
<ol>
${codes.map((part) => `<li>${drawing(part)}<br>part ${part.index} of ${parts.length}, check <code>${part.check}</code></li>`).join('\n')}
</ol>
</section>`,
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src '${style}'">
<title>${name}</title>
<style>${STYLE}</style>
</head>
<body>
${sections.join('\n')}
</body>
</html>
`;
}

const QUIET = 4;

/** Runs of dark modules as one path, so that no seam between modules shows on a printer. */
function drawing({ index, line }: PaperPart): string {
  const modules = encodeQR(line, 'raw', { ecc: 'quartile', encoding: 'alphanumeric', border: QUIET });
  let path = '';
  for (const [y, row] of modules.entries()) {
    for (let x = 0; x < row.length; x++) {
      let end = x;
      while (row[end] === true) end += 1;
      if (end === x) continue;
      path += `M${x} ${y}h${end - x}v1h${x - end}z`;
      x = end;
    }
  }
  const size = modules.length;
  return `<svg role="img" aria-label="part ${index}" viewBox="0 0 ${size} ${size}" shape-rendering="crispEdges"><path d="${path}"/></svg>`;
}
