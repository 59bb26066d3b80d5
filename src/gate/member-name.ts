import { printable } from '#kernel';
import type { ReasonCode } from './faults.ts';
import { LIMITS } from './limits.ts';

/** How strict names are. `portable` must mean one thing on every system; `linux` is for root file systems. */
export type NameRules = 'portable' | 'linux';

export interface NameFault {
  readonly code: ReasonCode;
  readonly detail: string;
}

const RESERVED = /^(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9\u00b9\u00b2\u00b3])(?:[ .].*|$)/i;
/** A name that Windows makes for a long one: `GIT~1` (CVE-2014-9390). */
const SHORT = /^[^.]{1,6}~[0-9](?:\.[^.]{0,3})?$/;

/**
 * What is wrong with the name of a member, and its parts for the tree. `./` in front and `/` behind are what tar writers
 * give; the root itself has no parts.
 */
export function judgeName(name: string, rules: NameRules): { parts: readonly string[]; faults: readonly NameFault[] } {
  const faults: NameFault[] = [];
  const say = (code: ReasonCode, detail: string): void => void faults.push({ code, detail });
  if (name === '') say('examine.name-empty', 'It has no name.');
  if (Buffer.byteLength(name) > LIMITS.name) {
    say('examine.name-long', `The name has more than ${LIMITS.name} bytes.`);
    return { parts: [], faults };
  }
  if (name.includes('\0')) say('examine.name-nul', 'The name holds a NUL.');
  else if (printable(name) !== name) say('examine.name-control', 'The name holds characters that are not shown.');
  if (!name.isWellFormed()) say('examine.name-encoding', 'The name is no Unicode text.');
  if (/^(?:\/\/|\\\\)/.test(name) || (rules === 'portable' && /^[A-Za-z]:/.test(name))) {
    say('examine.name-drive', 'The name begins with a drive or a share.');
  } else if (name.startsWith('/')) say('examine.name-absolute', 'The name is absolute.');
  if (name.includes('\\') && rules === 'portable') say('examine.name-backslash', 'The name holds a backslash.');
  let inner = name;
  while (inner.startsWith('/')) inner = inner.slice(1);
  if (inner.startsWith('./')) inner = inner.slice(2);
  if (inner.endsWith('/')) inner = inner.slice(0, -1);
  if (inner === '.') inner = '';
  const parts = inner === '' ? [] : inner.split('/');
  if (parts.length > LIMITS.depth) {
    say('examine.name-deep', `The name has more than ${LIMITS.depth} parts.`);
    return { parts: [], faults };
  }
  for (const part of parts) {
    if (part === '..' || (rules === 'portable' && part.split('\\').includes('..'))) {
      say('examine.name-parent', "The name has a part '..'.");
    } else if (part === '' || part === '.')
      say('examine.name-dots', 'The name has an empty part or one that is a dot.');
    if (Buffer.byteLength(part) > LIMITS.component) {
      say('examine.name-long', `A part of the name has more than ${LIMITS.component} bytes.`);
    }
    if (rules !== 'portable') continue;
    if (RESERVED.test(part)) say('examine.name-windows', 'The name is that of a device on Windows.');
    else if (/[. ]$/.test(part) && part !== '.' && part !== '..') {
      say('examine.name-windows', 'The name ends with a dot or a space.');
    } else if (/^.+:/.test(part) && !/^[A-Za-z]:/.test(name)) {
      say('examine.name-windows', 'The name holds a colon, which names a hidden stream on Windows.');
    } else if (SHORT.test(part)) say('examine.name-windows', 'The name has the form of a short name on Windows.');
  }
  return { parts, faults };
}

/** Names with the same fold are one file on some file system: case, full folding (`ß`, `ss`) and Unicode form. */
export function foldName(part: string): string {
  if (/^[\u0020-\u007e]*$/.test(part)) return part.toLowerCase();
  return part.normalize('NFKC').toUpperCase().toLowerCase().normalize('NFC');
}

/** Names and versions in metadata that are used in paths: no separators, no dot segments, nothing hidden. */
export function isPlainWord(text: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._+~-]{0,213}$/.test(text) && !text.includes('..');
}
