/**
 * What stands in an enclave where a host would have its sockets and keys: so that whoever looks for them is seen. The
 * content of a key is a canary: random, and recognised when it is carried out. Pure.
 */
import { randomBytes, randomInt } from 'node:crypto';
import { HOME } from './surroundings.ts';

export interface DecoyFile {
  /** Where programs find it. */
  readonly path: string;
  readonly content: string;
  readonly canary: string;
  /** Programs that read it by themselves, whoever runs them: the file is their own setting. */
  readonly readers?: RegExp;
}

/** Where the daemons of a host listen: whoever is let in there is root outside. */
export const DECOY_SOCKETS: readonly string[] = [
  '/run/docker.sock',
  '/run/containerd/containerd.sock',
  '/run/crio/crio.sock',
  '/run/podman/podman.sock',
  '/run/dbus/system_bus_socket',
  '/run/ssh-agent.sock',
];

/** Places below the home folder of a program. */
const HOME_FILES: readonly {
  readonly name: string;
  readonly make: (canary: string) => string;
  readonly readers?: RegExp;
}[] = [
  { name: '.ssh/id_ed25519', make: opensshKey },
  { name: '.ssh/id_rsa', make: opensshKey },
  {
    name: '.npmrc',
    make: (canary) => `//registry.example.test/:_authToken=npm_${canary}\n`,
    readers: /(?:^|[/ ])(?:npm|npx|pnpm|yarn|corepack)(?:-cli)?(?:\.[cm]?js)?(?: |$)/,
  },
  {
    name: '.docker/config.json',
    make: (canary) =>
      `${JSON.stringify({ auths: { 'registry.example.test': { auth: Buffer.from(`user:${canary}`).toString('base64') } } })}\n`,
    readers: /(?:^|\/)(?:docker|skopeo|podman|buildah|helm|crane|cosign|oras|nerdctl)(?: |$)/,
  },
  {
    name: '.aws/credentials',
    make: (canary) =>
      `[default]\naws_access_key_id = AKIA${canary.slice(0, 16).toUpperCase()}\naws_secret_access_key = ${canary}\n`,
  },
  {
    name: '.kube/config',
    make: kubeConfig,
    readers: /(?:^|\/)(?:kubectl|helm|k9s|kustomize|flux|argocd)(?: |$)/,
  },
];

/** Letters and digits in lower case: names in DNS keep them as they are. */
const ALPHABET = 'abcdefghijklmnopqrstuvwxyz0123456789';
const CANARY = 24;

/** Files for one machine. `keys`: absolute paths where the side keeps its own, which no program is shown. */
export function decoyFiles(keys: readonly string[]): DecoyFile[] {
  const canary = (): string => Array.from({ length: CANARY }, () => ALPHABET[randomInt(ALPHABET.length)]).join('');
  const home = HOME_FILES.map(({ name, make, ...rest }) => {
    const own = canary();
    return { path: `${HOME}/${name}`, content: make(own), canary: own, ...rest };
  });
  const side = keys.map((path) => {
    const own = canary();
    return { path, content: pkcs8Key(own), canary: own };
  });
  return [...home, ...side];
}

/**
 * The path of the file whose canary stands in these bytes: as it is, or in hexadecimal, base64 or base32. Of what is
 * compressed or encrypted nothing can be said.
 */
export function leakedFile(files: readonly DecoyFile[], bytes: Buffer): string | undefined {
  if (bytes.length < CANARY) return undefined;
  const text = bytes.toString('latin1');
  const lower = text.toLowerCase();
  // Data in names is cut into labels.
  const joined = lower.replaceAll('.', '');
  const decoded = /[A-Za-z0-9+/_-]{32,}/.test(text) ? decodings(text, joined) : [];
  return files.find(({ canary }) => [lower, joined, ...decoded].some((one) => one.includes(canary)))?.path;
}

/** Every run of characters of an encoding, decoded: base64 and base32 from each place where a group may begin. */
function decodings(text: string, joined: string): string[] {
  const out: string[] = [];
  for (const [run] of joined.matchAll(/[0-9a-f]{48,}/g)) {
    for (const from of [0, 1])
      out.push(Buffer.from(run.slice(from, from + 2 * Math.floor((run.length - from) / 2)), 'hex').toString('latin1'));
  }
  for (const source of [text, text.replaceAll('.', '')]) {
    for (const [run] of source.matchAll(/[A-Za-z0-9+/_-]{32,}/g)) {
      for (const from of [0, 1, 2, 3]) out.push(Buffer.from(run.slice(from), 'base64').toString('latin1'));
    }
  }
  for (const [run] of joined.matchAll(/[a-z2-7]{38,}/g)) {
    for (let from = 0; from < 8; from++) out.push(base32(run.slice(from)));
  }
  return out;
}

/** RFC 4648, 6, without padding. */
function base32(text: string): string {
  let bits = 0;
  let value = 0;
  const bytes: number[] = [];
  for (const letter of text) {
    value = ((value << 5) | 'abcdefghijklmnopqrstuvwxyz234567'.indexOf(letter)) & 0xfff;
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push((value >> bits) & 0xff);
  }
  return Buffer.from(bytes).toString('latin1');
}

/** The canary stands where the key's comment would. No program can use the key. */
function opensshKey(canary: string): string {
  const body = Buffer.concat([Buffer.from('openssh-key-v1\0'), randomBytes(160), Buffer.from(canary)]).toString(
    'base64',
  );
  const label = (word: string): string => `-----${word} OPENSSH ${'PRIVATE'} KEY-----`;
  return `${label('BEGIN')}\n${body.replace(/(.{70})/g, '$1\n')}\n${label('END')}\n${canary}\n`;
}

function pkcs8Key(canary: string): string {
  const label = (word: string): string => `-----${word} ${'PRIVATE'} KEY-----`;
  return `${label('BEGIN')}\n${randomBytes(48).toString('base64')}\n${label('END')}\n${canary}\n`;
}

function kubeConfig(canary: string): string {
  return [
    'apiVersion: v1',
    'kind: Config',
    'current-context: site',
    'clusters: [{ name: site, cluster: { server: "https://kubernetes.example.test:6443" } }]',
    'contexts: [{ name: site, context: { cluster: site, user: admin } }]',
    `users: [{ name: admin, user: { token: ${canary} } }]`,
    '',
  ].join('\n');
}
