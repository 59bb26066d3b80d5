import { type ByteSource, type RandomBytes, sourceOf } from '#formats';
import { judgeZip, PLAIN } from '../archive.ts';
import type { Examination } from '../examination.ts';
import { readDocument, textOf } from './document.ts';

/** A file of a Maven repository: a jar, with the coordinates that it carries, or a POM. */
export async function judgeMaven(file: RandomBytes, examination: Examination): Promise<void> {
  const source = sourceOf(file);
  // Java reads a jar from its end, whatever stands before it; only a document begins like one.
  const start = Buffer.from(await source.peek(64)).toString('utf8');
  if (/^\ufeff?\s*</.test(start)) {
    await judgePom(source, '', undefined, examination);
    return;
  }
  await judgeZip(file, examination, PLAIN, {
    visit({ name, kind }) {
      const match = /^META-INF\/maven\/([^/]+)\/([^/]+)\/pom\.xml$/.exec(name);
      if (match === null || kind !== 'file') return undefined;
      return (content) => judgePom(content, name, { groupId: match[1]!, artifactId: match[2]! }, examination);
    },
  });
}

interface Coordinates {
  readonly groupId: string;
  readonly artifactId: string;
}

async function judgePom(
  content: ByteSource,
  where: string,
  due: Coordinates | undefined,
  examination: Examination,
): Promise<void> {
  const text = textOf(await readDocument(content, where, examination), where, examination);
  if (text === undefined) return;
  // Entities read files, call out and explode (CWE-611, CWE-776); no POM needs a document type.
  if (/<!\s*(?:DOCTYPE|ENTITY)/i.test(text)) {
    examination.found('examine.metadata', where, 'It declares a document type or entities.');
    return;
  }
  const fields = projectFields(text);
  if (fields === undefined) {
    examination.found('examine.metadata', where, 'It is no well-formed project of Maven.');
    return;
  }
  for (const key of ['groupId', 'artifactId', 'version'] as const) {
    const value = fields.get(key) ?? fields.get(`parent.${key}`);
    const inherited = !fields.has(key) && key !== 'artifactId';
    if (value === undefined || (key === 'artifactId' && !fields.has(key))) {
      examination.found('examine.metadata', where, `It says no ${key}, or says it twice.`);
    } else if (!/^[A-Za-z0-9_][A-Za-z0-9_.+-]*$/.test(value) || value.includes('..')) {
      // Properties such as ${revision} are for a build; what is published is resolved.
      examination.found('examine.metadata-name', where, `Its ${key} is ${JSON.stringify(value)}.`);
    } else if (due !== undefined && key !== 'version' && !inherited && value !== due[key]) {
      examination.found('examine.metadata-name', where, `Its ${key} is ${value}, and its folder says ${due[key]}.`);
    }
  }
}

/**
 * Text of the elements directly below `<project>` and `<project><parent>`; undefined where tags do not match. Elements
 * that stand twice are left out, because readers choose different ones.
 */
function projectFields(text: string): ReadonlyMap<string, string> | undefined {
  const fields = new Map<string, string>();
  const twice = new Set<string>();
  const open: string[] = [];
  const tokens =
    /<!--[\s\S]*?-->|<\?[\s\S]*?\?>|<!\[CDATA\[[\s\S]*?\]\]>|<(\/?)([A-Za-z_][\w.:-]*)((?:\s+[\w.:-]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*(\/?)>|([^<]+)|</g;
  let words = '';
  let ended = false;
  for (const match of text.matchAll(tokens)) {
    const [whole, close, name, , empty, plain] = match;
    if (whole === '<') return undefined;
    if (plain !== undefined) {
      words += plain;
      if ((open.length === 0 || ended) && plain.trim() !== '' && plain !== '\ufeff') return undefined;
      continue;
    }
    if (name === undefined) continue;
    if (ended) return undefined;
    if (close === '') {
      if (open.length === 0 && name !== 'project') return undefined;
      words = '';
      if (empty === '') open.push(name);
      if (open.length > 100) return undefined;
      continue;
    }
    if (open.pop() !== name) return undefined;
    const path = [...open, name].slice(1).join('.');
    if (open.length === 1 || (open.length === 2 && open[1] === 'parent')) {
      if (fields.has(path)) twice.add(path);
      fields.set(path, words.trim());
    }
    words = '';
    ended = open.length === 0;
  }
  for (const path of twice) fields.delete(path);
  return ended ? fields : undefined;
}
