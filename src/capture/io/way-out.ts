import type { World } from '#kernel';
import type { Preparation } from '#project';
import { type EffectiveSettings, npmSettings, pipSettings, plainSettings, type Route } from '#system';

/** What a confined command may reach, and how its clients learn of it. */
export interface WayOut {
  readonly permission: {
    readonly hosts?: readonly string[];
    readonly known: readonly string[];
    readonly posts: readonly string[];
  };
  readonly ports: readonly number[];
  readonly routeFor: (url: URL) => Promise<Route>;
  /** Registries in the words of each client, without secrets. */
  readonly environment: Readonly<Record<string, string>>;
  /** Lines of a .npmrc for what no variable of a shell can say: registries of scopes. */
  readonly npmrc: string;
  readonly notes: readonly string[];
}

/** Settings of other clients that name mirrors; secrets in them are addresses' userinfo, which is cut out. */
const MIRRORS = ['GOPROXY', 'GOSUMDB', 'GONOSUMDB', 'GOPRIVATE', 'GONOPROXY'] as const;

/** Asks the machine's own clients, of those that the command needs, how they reach their registries. */
export async function wayOutOf(world: World, preparation: Preparation, folder: string): Promise<WayOut> {
  const { files, env, signal } = world;
  const options = { files, env, folder, signal };
  const { needs } = preparation;
  const plain = await plainSettings(options);
  const npm = needs.includes('npm') ? await npmSettings(options) : undefined;
  const pip = needs.includes('pip') ? await pipSettings(options) : undefined;
  const clients = [npm, pip].filter((one) => one !== undefined);
  const addresses = (one: EffectiveSettings): URL[] =>
    [...one.registries, ...Object.values(one.scopes)].filter((text) => URL.canParse(text)).map((text) => new URL(text));
  const known = clients.flatMap(addresses);
  const posts = preparation.posts.map((address) => new URL(address));
  const ports = new Set<number>();
  for (const { port } of [...known, ...posts]) if (port !== '') ports.add(Number(port));
  for (const host of preparation.reaches ?? []) {
    const port = /:(\d+)$/.exec(host)?.[1];
    if (port !== undefined) ports.add(Number(port));
  }
  // Credentials of a client are for its registries; a file server that these name gets what the client would send it.
  const anonymous: Route = { ...plain.route, authorization: () => undefined };
  return {
    permission: {
      ...(preparation.reaches === undefined ? {} : { hosts: preparation.reaches }),
      known: [...new Set([...known, ...posts].map(({ host }) => host))],
      posts: preparation.posts,
    },
    ports: [...ports],
    routeFor: async (url) => {
      const owner = clients.find((one) => addresses(one).some(({ host }) => host === url.host));
      return owner?.route ?? anonymous;
    },
    environment: { ...npmWords(npm), ...pipWords(pip), ...mirrors(env) },
    npmrc: Object.entries(npm?.scopes ?? {})
      .map(([scope, address]) => `${scope}:registry=${address}\n`)
      .join(''),
    notes: clients.flatMap(({ notes }) => notes),
  };
}

function npmWords(settings: EffectiveSettings | undefined): Record<string, string> {
  if (settings === undefined) return {};
  const [registry] = settings.registries;
  return {
    // They would only be refused: both ask by POST, or for nothing that was wanted.
    npm_config_audit: 'false',
    npm_config_fund: 'false',
    npm_config_update_notifier: 'false',
    ...(registry === undefined ? {} : { npm_config_registry: registry }),
  };
}

function pipWords(settings: EffectiveSettings | undefined): Record<string, string> {
  if (settings === undefined) return {};
  const [index, ...extra] = settings.registries;
  return {
    PIP_CONFIG_FILE: '/dev/null',
    PIP_DISABLE_PIP_VERSION_CHECK: '1',
    PIP_NO_INPUT: '1',
    ...(index === undefined ? { PIP_NO_INDEX: '1' } : { PIP_INDEX_URL: index }),
    ...(extra.length === 0 ? {} : { PIP_EXTRA_INDEX_URL: extra.join(' ') }),
  };
}

function mirrors(env: World['env']): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of MIRRORS) {
    const value = env[name];
    if (value !== undefined) found[name] = value.replace(/\/\/[^/@,|\s]*@/g, '//');
  }
  return found;
}
