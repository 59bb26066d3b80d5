import { isTarHeader } from '#formats';

export type Compression = 'gzip' | 'zstd' | 'xz';
export type Container = Compression | 'tar' | 'zip' | 'deb' | 'unreadable';

/** Bytes from the beginning that `containerOf` looks at. */
export const MAGIC_BYTES = 512;

const UNREADABLE: readonly (readonly [string, string])[] = [
  ['bzip2', 'BZh'],
  ['7z', "7z\xbc\xaf'\x1c"],
  ['RAR', 'Rar!\x1a\x07'],
  ['lz4', '\x04"M\x18'],
  ['lzip', 'LZIP'],
  ['cabinet', 'MSCF\0\0\0\0'],
  ['compress', '\x1f\x9d'],
];

/** What a content is by its first bytes: a container that is opened, one that cannot be, or (undefined) none. */
export function containerOf(start: Uint8Array): { kind: Container; label: string } | undefined {
  const text = Buffer.from(start.subarray(0, 16)).toString('latin1');
  if (text.startsWith('\x1f\x8b')) return { kind: 'gzip', label: 'gzip' };
  if (text.startsWith('\x28\xb5\x2f\xfd')) return { kind: 'zstd', label: 'zstd' };
  if (text.startsWith('\xfd7zXZ\0')) return { kind: 'xz', label: 'xz' };
  if (/^PK(?:\x03\x04|\x05\x06|\x07\x08)/.test(text)) return { kind: 'zip', label: 'zip' };
  // Other ar archives are object libraries, which nobody unpacks.
  if (text === '!<arch>\ndebian-b') return { kind: 'deb', label: 'Debian package' };
  for (const [label, magic] of UNREADABLE) {
    if (text.startsWith(magic) && (label !== 'bzip2' || /^BZh[1-9](?:1AY&SY|\x17rE8P\x90)/.test(text)))
      return { kind: 'unreadable', label };
  }
  if (Buffer.from(start.subarray(257, 262)).toString('latin1') === 'ustar' || isTarHeader(start)) {
    return { kind: 'tar', label: 'tar' };
  }
  return undefined;
}

/** Whether a name promises an archive. One that cannot be opened as such was looked into by nobody (CVE-2026-28407). */
export function promisesArchive(name: string): boolean {
  return /\.(?:tar|tgz|tbz2?|txz|tzst|gz|bz2|xz|zst|lzma|lz4|zip|whl|jar|war|ear|7z|rar|deb|crate|cab)$/i.test(name);
}
