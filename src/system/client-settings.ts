import { dirname, join, resolve } from 'node:path';
import { parse as parseIni } from 'ini';
import { errorCode, type Files, isObject, printable } from '#kernel';
import { basic, environmentProxies, machineAuthorities, type Route, withoutSecrets } from './network.ts';
import { networkFault } from './network-faults.ts';
import { pipProgram } from './pip.ts';
import { type Ended, lastWords, runProcess } from './processes.ts';
import { findProgram } from './tools.ts';

/** What a client would do, as its own program and files tell it. */
export interface EffectiveSettings {
  /** Without credentials. npm: [registry]; pip: [index, …extra indexes]; others: none. */
  readonly registries: readonly string[];
  /** npm: `@scope` to registry, without credentials. */
  readonly scopes: Readonly<Record<string, string>>;
  /** Proxies, authorities and credentials. */
  readonly route: Route;
  /** What a careful user should know: certificates that the client was told not to check. */
  readonly notes: readonly string[];
}

export interface SettingsOptions {
  readonly files: Files;
  /** Environment of the user, which the client reads too. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Folder in which the client would run. */
  readonly folder: string;
  readonly signal: AbortSignal;
}

const LIMIT = 1024 * 1024;
const CA_LIMIT = 16 * 1024 * 1024;
const TIMEOUT = 120_000;

/** npm's effective settings. Throws network.settings where npm is not there or does not answer. */
export async function npmSettings(options: SettingsOptions): Promise<EffectiveSettings> {
  const { files, env, folder } = options;
  const npm = await findProgram('npm', env);
  if (npm === undefined) {
    throw networkFault('network.settings', {
      where: 'npm',
      detail: 'npm is not installed, and only npm knows which registry it would use.',
      fix: 'Install npm, then run this command again.',
    });
  }
  const ended = await run(npm, ['config', 'list', '--json', '--no-workspaces'], options);
  const config = jsonOf(ended.stdout);
  if (ended.code !== 0 || config === undefined) throw failed('npm config list --json', ended);

  // The listing hides what is secret; the files and the environment do not.
  const raw = new Map<string, string>();
  const sources = [
    text(config['globalconfig']),
    text(config['userconfig']),
    join(await npmPrefix(files, folder), '.npmrc'),
  ];
  for (const path of sources) {
    if (path === '') continue;
    for (const [key, value] of await npmrc(files, path, env)) raw.set(key, value);
  }
  for (const [name, value] of Object.entries(env)) {
    const key = /^npm_config_(.+)$/i.exec(name)?.[1];
    if (key !== undefined && value !== undefined && value !== '') {
      raw.set(key.startsWith('//') ? key : key.toLowerCase().replace(/(?!^)_/g, '-'), value);
    }
  }
  const effective = (key: string): string => {
    // What holds a password is left out of the listing whole.
    if (!(key in config)) return raw.get(key) ?? '';
    const listed = text(config[key]);
    return /\*\*\*|REDACTED|\(protected\)/i.test(listed) ? (raw.get(key) ?? listed) : listed;
  };

  const secrets = new Map<string, string>();
  const scopes: Record<string, string> = {};
  for (const key of new Set([...raw.keys(), ...Object.keys(config)])) {
    const scope = /^(@[^:]+):registry$/.exec(key)?.[1];
    if (scope !== undefined) scopes[scope] = registryAddress(effective(key), secrets);
  }
  const registry = registryAddress(effective('registry'), secrets);

  const environment = environmentProxies(env);
  const noproxy = config['noproxy'];
  const listedNoProxy = (Array.isArray(noproxy) ? noproxy.map(text) : [text(noproxy)]).filter((one) => one !== '');
  const httpProxy = effective('proxy') || effective('http-proxy') || environment.httpProxy;
  const authorities = await npmAuthorities(options, config);
  const strict = config['strict-ssl'] !== false;
  return {
    registries: registry === '' ? [] : [registry],
    scopes,
    notes: strict ? [] : ['npm is told not to check certificates (strict-ssl=false), and so this capture does not.'],
    route: {
      httpProxy,
      httpsProxy: effective('https-proxy') || environment.httpsProxy || effective('proxy'),
      noProxy: listedNoProxy.length > 0 ? listedNoProxy.join(',') : environment.noProxy,
      ...(authorities === undefined ? {} : { authorities }),
      ...(strict ? {} : { unchecked: () => true }),
      authorization: (url) => npmAuthorization(raw, url) ?? secrets.get(url.host),
    },
  };
}

/** pip's effective settings. Throws network.settings where pip is not there or does not answer. */
export async function pipSettings(options: SettingsOptions): Promise<EffectiveSettings> {
  const { files, env } = options;
  const pip = await pipProgram({ env, signal: options.signal });
  // pip reads nothing from the folder in which it runs, but Python imports from it: a pip.py or a json.py of the project
  // would run here, as the user.
  const elsewhere = { ...options, folder: '/' };
  const ended = await run(pip.command, [...pip.args, 'config', 'list'], elsewhere);
  if (ended.code !== 0) throw failed('python3 -m pip config list', ended);
  const config = pipConfig(ended.stdout);
  // pip's own order: the environment, then the command's section, then the general one.
  const effective = (key: string): string | undefined =>
    config.get(`:env:.${key}`) ??
    config.get(`install.${key}`) ??
    config.get(`download.${key}`) ??
    config.get(`global.${key}`);

  const secrets = new Map<string, string>();
  const registries: string[] = [];
  if (!isTrue(effective('no-index'))) {
    const index = effective('index-url') ?? (await pipDefaultIndex(pip, elsewhere));
    for (const address of [index, ...words(effective('extra-index-url'))])
      registries.push(registryAddress(address, secrets));
  }
  const login = await netrc(files, env);
  const environment = environmentProxies(env);
  const proxy = effective('proxy') ?? '';
  const trusted = words(effective('trusted-host'));
  const bundle = effective('cert') ?? env['REQUESTS_CA_BUNDLE'] ?? env['CURL_CA_BUNDLE'] ?? '';
  const authorities = bundle === '' ? undefined : await certificates(files, resolve(options.folder, bundle), 'pip');
  return {
    registries: [...new Set(registries)],
    scopes: {},
    notes:
      trusted.length === 0
        ? []
        : [
            `pip is told not to check the certificates of ${printable(trusted.join(', '))} (trusted-host), and so this capture does not.`,
          ],
    route: {
      httpProxy: proxy || environment.httpProxy,
      httpsProxy: proxy || environment.httpsProxy,
      noProxy: environment.noProxy,
      ...(authorities === undefined ? {} : { authorities }),
      ...(trusted.length === 0
        ? {}
        : { unchecked: (host: string) => trusted.includes(host) || trusted.includes(host.replace(/:\d+$/, '')) }),
      authorization: (url) => secrets.get(url.host) ?? login(url.hostname),
    },
  };
}

/** The way out for container registries: credentials of Docker and Podman, the environment's proxies. */
export async function ociSettings(options: SettingsOptions): Promise<EffectiveSettings> {
  const { files, env } = options;
  const home = env['HOME'] ?? '';
  const paths = [
    env['DOCKER_CONFIG'] === undefined ? join(home, '.docker/config.json') : join(env['DOCKER_CONFIG'], 'config.json'),
    env['XDG_RUNTIME_DIR'] === undefined ? '' : join(env['XDG_RUNTIME_DIR'], 'containers/auth.json'),
    env['REGISTRY_AUTH_FILE'] ?? '',
  ];
  const secrets = new Map<string, string>();
  for (const path of paths) {
    if (!path.startsWith('/')) continue;
    const config = jsonOf((await textOf(files, path)) ?? '{}') ?? {};
    const auths = isObject(config['auths']) ? config['auths'] : {};
    const helpers = new Map<string, string>();
    for (const [key, value] of Object.entries(auths)) {
      const auth = isObject(value) ? value['auth'] : undefined;
      if (typeof auth === 'string' && auth !== '') secrets.set(registryHost(key), `Basic ${auth}`);
      // With a store of credentials, the file only says for which hosts it has some.
      else if (text(config['credsStore']) !== '') helpers.set(key, text(config['credsStore']));
    }
    if (isObject(config['credHelpers'])) {
      for (const [key, helper] of Object.entries(config['credHelpers'])) helpers.set(key, text(helper));
    }
    for (const [key, helper] of helpers) {
      const found = await helperCredentials(helper, key, options);
      if (found !== undefined) secrets.set(registryHost(key), found);
    }
  }
  const plain = await plainSettings(options);
  return { ...plain, route: { ...plain.route, authorization: (url) => secrets.get(url.host) } };
}

function registryHost(key: string): string {
  return key.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
}

/** Asks `docker-credential-NAME get`, which takes a host on its standard input and answers with JSON, or fails. */
async function helperCredentials(helper: string, key: string, options: SettingsOptions): Promise<string | undefined> {
  if (!/^[a-z0-9-]+$/i.test(helper)) return undefined;
  const program = await findProgram(`docker-credential-${helper}`, options.env);
  if (program === undefined) return undefined;
  const ended = await run(program, ['get'], options, {}, `${key}\n`);
  const answer = ended.code === 0 ? jsonOf(ended.stdout) : undefined;
  const user = text(answer?.['Username']);
  const secret = text(answer?.['Secret']);
  // `<token>` stands for an identity token, which only a token service takes.
  return user === '' || user === '<token>' || secret === '' ? undefined : basic(user, secret);
}

/** The way out for plain files: the environment's proxies and authorities, and netrc as curl reads it when told to. */
export async function plainSettings(options: SettingsOptions): Promise<EffectiveSettings> {
  const { files, env } = options;
  const bundle = env['SSL_CERT_FILE'] ?? '';
  const authorities =
    bundle === '' ? machineAuthorities() : await certificates(files, resolve(options.folder, bundle), 'SSL_CERT_FILE');
  const login = await netrc(files, env);
  return {
    registries: [],
    scopes: {},
    notes: [],
    route: {
      ...environmentProxies(env),
      authorities,
      authorization: (url) => login(url.hostname),
    },
  };
}

// ------------------------------------------------------------------------------------------------------------- npm

/**
 * Credentials that npm would send to an address: the longest prefix of host and path that a key names
 * (`//host/path/:_authToken`), as npm-registry-fetch finds them.
 */
function npmAuthorization(raw: ReadonlyMap<string, string>, url: URL): string | undefined {
  for (let prefix = `//${url.host}${url.pathname.replace(/[^/]*$/, '')}`; ; prefix = prefix.replace(/[^/]*\/$/, '')) {
    for (const base of [prefix, prefix.replace(/\/$/, '')]) {
      const token = raw.get(`${base}:_authToken`);
      if (token !== undefined) return `Bearer ${token}`;
      const auth = raw.get(`${base}:_auth`);
      if (auth !== undefined) return `Basic ${auth}`;
      const user = raw.get(`${base}:username`);
      const password = raw.get(`${base}:_password`);
      if (user !== undefined && password !== undefined) {
        return basic(user, Buffer.from(password, 'base64').toString('utf8'));
      }
    }
    if (prefix === `//${url.host}/` || prefix.length <= 3) return undefined;
  }
}

/** The folder whose .npmrc counts: the nearest with package.json or node_modules, as npm finds its local prefix. */
async function npmPrefix(files: Files, folder: string): Promise<string> {
  for (let at = resolve(folder); ; at = dirname(at)) {
    for (const name of ['package.json', 'node_modules']) {
      if ((await files.look(join(at, name))) !== undefined) return at;
    }
    if (dirname(at) === at) return folder;
  }
}

async function npmrc(files: Files, path: string, env: SettingsOptions['env']): Promise<[string, string][]> {
  const source = await textOf(files, path);
  if (source === undefined) return [];
  const found: [string, string][] = [];
  for (const [key, value] of Object.entries(parseIni(source))) {
    if (typeof value === 'string') found.push([expand(key, env), expand(value, env)]);
  }
  return found;
}

/** `${NAME}` and `${NAME?}` as npm's env-replace does; a name that is not set stays as it is, or is empty with `?`. */
function expand(value: string, env: SettingsOptions['env']): string {
  return value.replace(
    /(?<!\\)(\\*)\$\{([^${}?]+)(\?)?\}/g,
    (whole, escapes: string, name: string, optional?: string) => {
      if (escapes.length % 2 === 1) return whole.slice((escapes.length + 1) / 2);
      return escapes.slice(escapes.length / 2) + (env[name] ?? (optional === undefined ? `\${${name}}` : ''));
    },
  );
}

async function npmAuthorities(
  options: SettingsOptions,
  config: Readonly<Record<string, unknown>>,
): Promise<readonly string[] | undefined> {
  const inline = config['ca'];
  if (typeof inline === 'string' && inline !== '') return [inline.replaceAll('\\n', '\n')];
  if (Array.isArray(inline) && inline.length > 0) return inline.map((one) => text(one).replaceAll('\\n', '\n'));
  const file = text(config['cafile']);
  return file === '' ? undefined : certificates(options.files, resolve(options.folder, file), 'npm');
}

// ------------------------------------------------------------------------------------------------------------- pip

/** Lines of `pip config list`: `global.index-url='https://…'`, the value as Python writes a string. */
export function pipConfig(listing: string): Map<string, string> {
  const config = new Map<string, string>();
  for (const line of listing.split('\n')) {
    const [, key, quote, value] = /^([^=\s]+)=(['"])(.*)\2\s*$/.exec(line) ?? [];
    if (key === undefined || quote === undefined || value === undefined) continue;
    config.set(
      key,
      value.replace(/\\(n|r|t|x[0-9a-f]{2}|.)/g, (_, escape: string) => {
        if (escape.startsWith('x')) return String.fromCharCode(Number.parseInt(escape.slice(1), 16));
        return { n: '\n', r: '\r', t: '\t' }[escape] ?? escape;
      }),
    );
  }
  return config;
}

/** The index that pip uses when nobody names one: pip's own code says it, so that ours need not. */
async function pipDefaultIndex(
  pip: { command: string; args: readonly string[] },
  options: SettingsOptions,
): Promise<string> {
  if (pip.args[0] === '-m') {
    const code = 'from pip._internal.models.index import PyPI; print(PyPI.simple_url)';
    const ended = await run(pip.command, ['-c', code], options);
    if (ended.code === 0 && URL.canParse(ended.stdout.trim())) return ended.stdout.trim();
  }
  const ended = await run(pip.command, [...pip.args, 'install', '--help'], options, { COLUMNS: '500' });
  const [, index] = /--index-url.*?\(default\s+(\S+?)\)/s.exec(ended.stdout) ?? [];
  if (index === undefined || !URL.canParse(index)) throw failed('pip install --help', ended);
  return index;
}

/** `login password` of a host in netrc, as `authorization`; the `default` entry counts too, as for requests. */
async function netrc(files: Files, env: SettingsOptions['env']): Promise<(host: string) => string | undefined> {
  const home = env['HOME'] ?? '';
  const path = env['NETRC'] ?? (home === '' ? '' : join(home, '.netrc'));
  const source = path === '' ? undefined : await textOf(files, path);
  const logins = new Map<string, { login: string; password: string }>();
  let at: { login: string; password: string } | undefined;
  const tokens = (source ?? '').replace(/^\s*#.*$/gm, '').match(/"(?:[^"\\]|\\.)*"|\S+/g) ?? [];
  const plain = (token: string | undefined): string =>
    token?.startsWith('"') === true ? token.slice(1, -1).replace(/\\(.)/g, '$1') : (token ?? '');
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i];
    if (token === 'machine' || token === 'default') {
      at = { login: '', password: '' };
      logins.set(token === 'default' ? '' : plain(tokens[++i]), at);
    } else if (token === 'login' && at !== undefined) at.login = plain(tokens[++i]);
    else if (token === 'password' && at !== undefined) at.password = plain(tokens[++i]);
    else if (token === 'account') i += 1;
  }
  return (host) => {
    const found = logins.get(host) ?? logins.get('');
    return found === undefined ? undefined : basic(found.login, found.password);
  };
}

// ---------------------------------------------------------------------------------------------------------- helpers

/** A registry's address without its userinfo, which goes to `secrets` under the host. */
function registryAddress(address: string, secrets: Map<string, string>): string {
  if (!URL.canParse(address)) return '';
  const url = new URL(address);
  if (url.username !== '' || url.password !== '') {
    const part = (value: string): string => {
      try {
        return decodeURIComponent(value);
      } catch {
        return value;
      }
    };
    secrets.set(url.host, basic(part(url.username), part(url.password)));
  }
  return withoutSecrets(url);
}

async function run(
  command: string,
  args: readonly string[],
  options: SettingsOptions,
  set: Readonly<Record<string, string>> = {},
  input?: string,
): Promise<Ended> {
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(options.env)) if (value !== undefined) env[name] = value;
  // The client's own question whether it is the newest would be a call out that nobody asked for.
  Object.assign(env, { npm_config_update_notifier: 'false', PIP_DISABLE_PIP_VERSION_CHECK: '1', NO_COLOR: '1' }, set);
  return runProcess(command, args, {
    cwd: options.folder,
    env,
    timeout: TIMEOUT,
    keep: 4 * 1024 * 1024,
    signal: options.signal,
    ...(input === undefined ? {} : { input }),
  });
}

/** The fault of a client that does not answer. Its words may show addresses with credentials: they are taken out. */
function failed(what: string, ended: Ended): Error {
  const said = lastWords(ended, 3).replace(/\/\/[^/\s@]*@/g, '//');
  return networkFault('network.settings', {
    where: what,
    detail: ended.timedOut
      ? 'It did not end in time.'
      : `It ended with ${ended.code ?? ended.signal}: ${printable(said)}`,
  });
}

async function certificates(files: Files, path: string, client: string): Promise<readonly string[]> {
  const source = await textOf(files, path, CA_LIMIT);
  const found = source?.match(/-----BEGIN (?:TRUSTED )?CERTIFICATE-----[^-]+-----END (?:TRUSTED )?CERTIFICATE-----/g);
  if (found === undefined || found === null) {
    throw networkFault('network.settings', {
      where: path,
      detail: `${client} names it as its file of authorities, and it ${source === undefined ? 'is not there' : 'holds no certificate'}.`,
      fix: `Correct the setting of ${client}, or put the file there.`,
    });
  }
  return found;
}

async function textOf(files: Files, path: string, limit = LIMIT): Promise<string | undefined> {
  try {
    return Buffer.from(await files.read(path, limit)).toString('utf8');
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw networkFault('network.settings', {
      where: path,
      detail: `It cannot be read (${code}).`,
      fix: 'Make it a file that you may read.',
    });
  }
}

function jsonOf(source: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(source);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function text(value: unknown): string {
  return typeof value === 'string' && value !== 'null' && value !== 'undefined' ? value : '';
}

function words(value: string | undefined): string[] {
  return (value ?? '').split(/\s+/).filter((one) => one !== '');
}

function isTrue(value: string | undefined): boolean {
  return ['1', 'true', 'yes', 'on', 'y', 't'].includes((value ?? '').toLowerCase());
}
