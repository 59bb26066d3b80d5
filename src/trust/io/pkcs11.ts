import { spawnSync } from 'node:child_process';
import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { errorMessage, type Files, printable } from '#kernel';
import { type Algorithm, derSignature, publicKeyOf, type SigningKey } from '../algorithm.ts';
import { trustFault } from '../faults.ts';

/**
 * Keys that lie on a token, used through `pkcs11-tool` (OpenSC): the module of the token runs in that process and never
 * in this one, and the key never leaves the token. A key is named by a PKCS #11 URI (RFC 7512):
 * `pkcs11:token=NAME;object=LABEL?module-path=/path/of/module.so&pin-source=/path/of/pin`.
 */
export interface TokenReference {
  readonly token: string;
  readonly object: string;
  /** Hex; undefined where the URI does not say. */
  readonly id: string | undefined;
  readonly module: string;
  readonly pinSource: string | undefined;
}

const TIMEOUT = 60_000;
const PIN_VARIABLE = 'SALLYPORT_TOKEN_PIN';

/** Throws trust.token for a URI that does not name a key on a token by module, token and label or id. */
export function parseTokenUri(uri: string): TokenReference {
  const wrong = (detail: string) => trustFault('trust.token', { where: printable(uri).slice(0, 200), detail });
  const [, path = '', query = ''] = /^pkcs11:([^?]*)(?:\?(.*))?$/s.exec(uri) ?? [];
  const read = (text: string, separator: string): Map<string, string> => {
    const found = new Map<string, string>();
    for (const part of text.split(separator).filter((one) => one !== '')) {
      const at = part.indexOf('=');
      const name = part.slice(0, at);
      if (at < 1 || found.has(name)) throw wrong(`${printable(part)} is no attribute, or stands twice.`);
      const value = part.slice(at + 1);
      if (/%(?![0-9A-Fa-f]{2})/.test(value)) throw wrong(`${printable(name)} is not percent-encoded.`);
      // Bytes: an id is any of them, a name is UTF-8.
      const bytes = value.replace(/%(..)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
      found.set(name, name === 'id' ? bytes : Buffer.from(bytes, 'latin1').toString('utf8'));
    }
    return found;
  };
  const attributes = read(path, ';');
  const options = read(query, '&');
  // A PIN in an address would stand in the list of processes and in the history of the shell.
  if (options.has('pin-value'))
    throw wrong("'pin-value' is not taken; write the PIN into a file of mode 0600 and name it as 'pin-source'.");
  const unknown = [...attributes.keys()].find((name) => !['token', 'object', 'id', 'type'].includes(name));
  if (unknown !== undefined) throw wrong(`The attribute ${printable(unknown)} is not known.`);
  const token = attributes.get('token') ?? '';
  const object = attributes.get('object') ?? '';
  const id = attributes.get('id');
  const module = options.get('module-path') ?? '';
  if (token === '' || module === '' || (object === '' && id === undefined)) {
    throw wrong('It names no token, no module or no key.');
  }
  return {
    token,
    object,
    id: id === undefined ? undefined : Buffer.from(id, 'latin1').toString('hex'),
    module,
    pinSource: options.get('pin-source')?.replace(/^file:/, ''),
  };
}

/** The key of a URI, ready to sign. `pin` is asked only where the URI names no file with it. */
export async function tokenKey(files: Files, uri: string, pin: () => Promise<string | undefined>): Promise<SigningKey> {
  const reference = parseTokenUri(uri);
  const secret = reference.pinSource === undefined ? await pin() : await pinIn(files, reference.pinSource);
  if (secret === undefined || secret === '') {
    throw trustFault('trust.passphrase-needed', { where: uri, detail: 'It is the PIN of the token.' });
  }
  const base = ['--module', reference.module, '--token-label', reference.token];
  const listed = run(uri, [...base, '--list-objects', '--type', 'pubkey'], undefined).toString('utf8');
  const found = parseObjects(listed).filter(
    ({ label, id }) =>
      (reference.object === '' || label === reference.object) && (reference.id === undefined || id === reference.id),
  );
  const [one] = found;
  if (one === undefined || found.length > 1) {
    const detail = `${found.length} keys of the token have this name; name it by 'id' too.`;
    throw trustFault('trust.token', { where: uri, detail: found.length === 0 ? 'The token has no such key.' : detail });
  }
  const known = one.key === undefined ? undefined : publicKeyOf(one.key);
  if (known === undefined)
    throw trustFault('trust.token', { where: uri, detail: 'Its key is of a type that is not used here.' });
  if (known.algorithm === 'ed25519') {
    // Ed25519 reads its message twice, so modules want it whole; pkcs11-tool hands on 1,024 bytes at a time.
    throw trustFault('trust.token', {
      where: uri,
      detail: 'Ed25519 keys on a token cannot sign what is longer than 1 KiB; use a key on P-256 or P-384.',
    });
  }
  return {
    ...known,
    module: { kind: 'pkcs11', name: moduleName(uri, reference), validation: 'not known' },
    sign(message) {
      const folder = mkdtempSync(join(tmpdir(), 'sallyport-token-'));
      try {
        writeFileSync(join(folder, 'in'), toSign(known.algorithm, message), { mode: 0o600 });
        const args = ['--login', '--pin', `env:${PIN_VARIABLE}`, '--sign', '--mechanism', 'ECDSA', '--id', one.id];
        run(uri, [...base, ...args, '--input-file', join(folder, 'in'), '--output-file', join(folder, 'out')], secret);
        const raw = readFileSync(join(folder, 'out'));
        return derSignature(raw);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
  };
}

/** Tokens sign a digest with ECDSA. */
function toSign(algorithm: Algorithm, message: Uint8Array): Uint8Array {
  if (algorithm === 'ecdsa-p256') return createHash('sha256').update(message).digest();
  if (algorithm === 'ecdsa-p384') return createHash('sha384').update(message).digest();
  throw trustFault('trust.token', { detail: `${algorithm} on a token is not known here.` });
}

async function pinIn(files: Files, path: string): Promise<string> {
  const look = await files.look(path);
  if (look === undefined || look.kind !== 'file' || (look.mode & 0o077) !== 0) {
    throw trustFault('trust.passphrase-file', {
      where: path,
      detail: 'It is not there, no plain file, or open to others.',
    });
  }
  return (
    Buffer.from(await files.read(path, 4096))
      .toString('utf8')
      .split(/\r?\n/)[0] ?? ''
  );
}

/** The PIN goes by the environment of the helper: arguments are seen by every process of the machine. */
function run(uri: string, args: readonly string[], pin: string | undefined): Buffer {
  const ended = spawnSync('pkcs11-tool', args, {
    timeout: TIMEOUT,
    maxBuffer: 16 * 1024 * 1024,
    env: { ...process.env, LC_ALL: 'C', ...(pin === undefined ? {} : { [PIN_VARIABLE]: pin }) },
  });
  if (ended.error !== undefined) {
    throw trustFault('trust.token', { where: uri, detail: `pkcs11-tool cannot be run: ${errorMessage(ended.error)}.` });
  }
  if (ended.status !== 0) {
    const words = ended.stderr.toString('utf8').trim().split('\n').slice(0, 3).join(' ');
    throw trustFault('trust.token', { where: uri, detail: `pkcs11-tool says: ${printable(words).slice(0, 300)}` });
  }
  return ended.stdout;
}

/** What module and token say of themselves: the library and its maker, and the maker, model and firmware of the token. */
function moduleName(uri: string, { module, token }: TokenReference): string {
  // The library's own fields stand in columns, those of a slot behind colons.
  const info = run(uri, ['--module', module, '--show-info'], undefined).toString('utf8');
  const library = (name: string): string | undefined => new RegExp(`^${name}\\s+(\\S.*?)\\s*$`, 'm').exec(info)?.[1];
  const slots = run(uri, ['--module', module, '--list-token-slots'], undefined)
    .toString('utf8')
    .split(/^(?=Slot )/m);
  const own = slots.map(fieldsOf).find((fields) => fields.get('token label') === token) ?? new Map<string, string>();
  const said = [
    ['library', library('Library')],
    ['of', library('Manufacturer')],
    ['token model', own.get('token model')],
    ['of', own.get('token manufacturer')],
    ['firmware', own.get('firmware version')],
  ] as const;
  const words = said.flatMap(([name, value]) => (value === undefined || value === '' ? [] : [`${name} ${value}`]));
  return printable(`PKCS #11 ${module}: ${words.join(', ')}`).slice(0, 500);
}

/** `name : value` a line, as pkcs11-tool prints what it found. */
function fieldsOf(text: string): ReadonlyMap<string, string> {
  return new Map(
    text.split('\n').flatMap((line) => {
      const at = line.indexOf(':');
      const name = line.slice(0, Math.max(0, at)).trim().toLowerCase();
      return name === '' ? [] : [[name, line.slice(at + 1).trim()] as const];
    }),
  );
}

interface TokenObject {
  readonly label: string;
  readonly id: string;
  readonly key: KeyObject | undefined;
}

/**
 * The public keys in what `--list-objects` prints: EC_POINT is an OCTET STRING around the point, EC_PARAMS the curve
 * (PKCS #11 section 6.3). Reading the object itself fails for some curves in OpenSC 0.23.
 */
export function parseObjects(text: string): TokenObject[] {
  const objects: TokenObject[] = [];
  for (const block of text.split(/^(?=Public Key Object)/m)) {
    if (!block.startsWith('Public Key Object')) continue;
    const field = (name: string): string => new RegExp(`^\\s+${name}:\\s*(\\S.*)$`, 'm').exec(block)?.[1]?.trim() ?? '';
    const point = Buffer.from(/^[0-9a-f]+/.exec(field('EC_POINT'))?.[0] ?? '', 'hex');
    const parameters = Buffer.from(/^[0-9a-f]+/.exec(field('EC_PARAMS'))?.[0] ?? '', 'hex');
    objects.push({ label: field('label'), id: field('ID'), key: keyOf(point, parameters) });
  }
  return objects;
}

const EC_PUBLIC_KEY = Buffer.from('06072a8648ce3d0201', 'hex');
const ED25519_SPKI = Buffer.from('302a300506032b6570032100', 'hex');

function keyOf(wrapped: Buffer, parameters: Buffer): KeyObject | undefined {
  const point = wrapped[0] === 0x04 && wrapped[1] === wrapped.length - 2 ? wrapped.subarray(2) : wrapped;
  // `edwards25519` as a PrintableString, or its object identifier (RFC 8410).
  const edwards = parameters.includes('edwards25519') || parameters.equals(Buffer.from('06032b6570', 'hex'));
  try {
    if (edwards)
      return createPublicKey({ key: Buffer.concat([ED25519_SPKI, point.subarray(-32)]), format: 'der', type: 'spki' });
    const algorithm = tlv(0x30, Buffer.concat([EC_PUBLIC_KEY, parameters]));
    const bits = tlv(0x03, Buffer.concat([Uint8Array.of(0), point]));
    return createPublicKey({ key: tlv(0x30, Buffer.concat([algorithm, bits])), format: 'der', type: 'spki' });
  } catch {
    // A key of another kind on the same token.
    return undefined;
  }
}

function tlv(tag: number, content: Buffer): Buffer {
  const length =
    content.length < 128
      ? [content.length]
      : content.length < 256
        ? [0x81, content.length]
        : [0x82, content.length >> 8, content.length & 0xff];
  return Buffer.concat([Uint8Array.of(tag, ...length), content]);
}
