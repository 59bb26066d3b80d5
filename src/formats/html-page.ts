import { createHash } from 'node:crypto';
import { printable } from '#kernel';

/** Escaped for elements and quoted attributes of HTML and XML; control and bidirectional characters are shown, not obeyed. */
export function markup(value: string): string {
  return printable(value)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}

export interface HtmlPage {
  /** Plain text. */
  readonly title: string;
  readonly style: string;
  /** Runs at the end of the body; without it no script is allowed. */
  readonly script?: string;
  /** Markup. */
  readonly body: string;
}

/**
 * One file that opens from disk and asks nobody for anything: its Content-Security-Policy (CSP Level 3, section 6.7.3)
 * allows its own style and script, each by its digest, and nothing else: no address, no form, no image, no handler in
 * an attribute.
 */
export function htmlPage({ title, style, script, body }: HtmlPage): string {
  const policy = [
    "default-src 'none'",
    `style-src '${sourceOf(style)}'`,
    ...(script === undefined ? [] : [`script-src '${sourceOf(script)}'`]),
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>${markup(title)}</title>
<style>${style}</style>
</head>
<body>
${body}
${script === undefined ? '' : `<script>${script}</script>\n`}</body>
</html>
`;
}

function sourceOf(content: string): string {
  return `sha256-${createHash('sha256').update(content).digest('base64')}`;
}
