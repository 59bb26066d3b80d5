import { type RandomBytes, sourceOf, tarMembers } from '#formats';
import { expanded, zipMembers } from './archive.ts';
import type { Examination } from './examination.ts';
import { type Compression, containerOf, MAGIC_BYTES } from './magic.ts';
import type { ExamineKind } from './operations.ts';

/**
 * What a file is, by its first bytes, and where these fit several kinds by its name and its first members. A name alone
 * never makes something harmless: it only chooses rules that are stricter.
 */
export async function recognise(
  file: RandomBytes,
  name: string,
  examination: Examination,
): Promise<ExamineKind | 'unknown'> {
  const start = await sourceOf(file).peek(MAGIC_BYTES);
  const kind = containerOf(start)?.kind;
  const ends = (pattern: RegExp): boolean => pattern.test(name);
  if (ends(/\.whl$/i)) return 'wheel';
  if (ends(/\.crate$/i)) return 'crate';
  if (ends(/\.jar$|\.pom$/i)) return 'maven';
  switch (kind) {
    case 'deb':
      return 'deb';
    case 'zip':
      return zipKind(file, examination);
    case 'gzip':
    case 'zstd':
    case 'xz':
    case 'tar':
      return tarKind(file, kind, ends(/\.tgz$/i), examination);
    case 'unreadable':
      return ends(/\.deb$/i) ? 'deb' : 'unknown';
    case undefined:
      if (ends(/\.deb$/i)) return 'deb';
      if (ends(/\.zip$/i)) return 'zip';
      if (ends(/\.(?:tar|tgz|txz|tar\.gz|tar\.zst|tar\.xz)$/i)) return 'tar';
      return ends(/\.json$/i) || /^(?:\xef\xbb\xbf)?[ \t\r\n]*[[{]/.test(Buffer.from(start).toString('latin1'))
        ? 'json'
        : 'unknown';
  }
}

/** By its first members. What is wrong with the archive is not said here: judging it comes next. */
async function tarKind(
  file: RandomBytes,
  kind: Compression | 'tar',
  isTgz: boolean,
  examination: Examination,
): Promise<ExamineKind> {
  const source = sourceOf(file);
  const inner = kind === 'tar' ? source : expanded(kind, source, examination);
  let found: ExamineKind = 'tar';
  // In large npm packages package.json comes late; the folder is the same in all of them.
  let inPackage = isTgz;
  let seen = 0;
  try {
    for await (const member of tarMembers(inner)) {
      if (member.name === 'package/package.json') found = 'npm';
      else if (/^[^/]+\/Chart\.yaml$/.test(member.name)) found = 'helm';
      else if (/^[^/]+\/Cargo\.toml\.orig$/.test(member.name)) found = 'crate';
      inPackage &&= member.name.startsWith('package/');
      seen += 1;
      if (found !== 'tar' || seen >= 64 || inner.position + member.size > 4 * 1024 * 1024) break;
    }
  } catch (error) {
    if (!(error instanceof Error) || !('trouble' in error)) throw error;
  }
  return found === 'tar' && inPackage && seen > 0 ? 'npm' : found;
}

async function zipKind(file: RandomBytes, examination: Examination): Promise<ExamineKind> {
  try {
    const names = (await zipMembers(file, examination)).map(({ name }) => name);
    if (names.some((name) => /^[^/]+\.dist-info\/(?:WHEEL|RECORD)$/.test(name))) return 'wheel';
    if (names.length > 0 && names.every((name) => /^[^@]+@v\d[^/]*\//.test(name))) return 'gomod';
    if (names.includes('META-INF/MANIFEST.MF')) return 'maven';
  } catch (error) {
    if (!(error instanceof Error) || !('trouble' in error)) throw error;
  }
  return 'zip';
}
