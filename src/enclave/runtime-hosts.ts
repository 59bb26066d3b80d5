/**
 * Which hosts software wants while it runs, whether it needs them, and how it is told not to ask. Programs that call home
 * are known by their names, packages and settings; a host is written down only where it is nothing but telemetry. Pure.
 */
import type { Attempt } from './attempt.ts';

export interface RuntimeHost {
  /** Name, else address; for `silenced` what the client would have called. */
  readonly host: string;
  readonly port?: number | undefined;
  readonly protocol: string;
  /**
   * `needed`: a step that was refused it failed. `optional`: every step that was refused it succeeded. `silenced`: a
   * setting that stops it was given, the client ran, and nothing was seen. `unknown`: it is not known how the step ended.
   */
  readonly verdict: 'needed' | 'optional' | 'silenced' | 'unknown';
  /** Machines, and with them the package or program where it is known: `web`, `npm: esbuild@0.25.0`. */
  readonly by: readonly string[];
  readonly count: number;
  /** What silences it, as it is written: `NEXT_TELEMETRY_DISABLED=1`. */
  readonly setting?: string | undefined;
  /** What it is, where we know the client: `Next.js: telemetry`. */
  readonly what?: string | undefined;
}

/** How a machine's work ended. */
export interface MachineOutcome {
  readonly machine: string;
  /** Undefined: not known, or not tried. */
  readonly ok: boolean | undefined;
  /** Command lines that ran there. */
  readonly commands: readonly string[];
}

interface Caller {
  readonly client: string;
  readonly what: string;
  /** Of the command line. */
  readonly command?: RegExp;
  /** Packages of npm or distributions of Python, without versions. */
  readonly packages?: readonly string[];
  /** Hosts that serve nothing else. */
  readonly hosts?: RegExp;
  /** What silences it; the first is the one to recommend. A variable of the environment as `NAME=VALUE`, else words. */
  readonly settings: readonly string[];
}

const program = (names: string): RegExp => new RegExp(String.raw`(?:^|[\s/])(?:${names})(?:\.[cm]?js|\.exe)?(?:\s|$)`);

/** Settings are those that each project documents. */
const CALLERS: readonly Caller[] = [
  {
    client: 'npm',
    what: 'update notice, audit, fund',
    command: program('npm|npx|npm-cli|npx-cli'),
    settings: ['npm_config_update_notifier=false', 'npm_config_audit=false', 'npm_config_fund=false'],
  },
  {
    client: 'update-notifier',
    what: 'update notice',
    packages: ['update-notifier', 'update-check', 'simple-update-notifier'],
    settings: ['NO_UPDATE_NOTIFIER=1'],
  },
  { client: 'Yarn', what: 'telemetry', command: program('yarn|yarnpkg'), settings: ['YARN_ENABLE_TELEMETRY=0'] },
  {
    client: 'pnpm',
    what: 'update notice',
    command: program('pnpm|pnpx'),
    settings: ['npm_config_update_notifier=false', 'NPM_CONFIG_UPDATE_NOTIFIER=false'],
  },
  {
    client: 'Corepack',
    what: 'newest package manager',
    command: program('corepack'),
    settings: ['COREPACK_ENABLE_NETWORK=0', 'COREPACK_DEFAULT_TO_LATEST=0'],
  },
  { client: 'Bun', what: 'telemetry', command: program('bun|bunx'), settings: ['DO_NOT_TRACK=1'] },
  { client: 'Deno', what: 'update check', command: program('deno'), settings: ['DENO_NO_UPDATE_CHECK=1'] },
  {
    client: 'pip',
    what: 'version check',
    command: /(?:^|[\s/])pip[0-9.]*(?:\s|$)|-m\s+pip(?:\s|$)/,
    settings: ['PIP_DISABLE_PIP_VERSION_CHECK=1'],
  },
  {
    client: 'uv',
    what: 'Python downloads',
    command: program('uv|uvx'),
    settings: ['UV_PYTHON_DOWNLOADS=never', 'UV_OFFLINE=1'],
  },
  {
    client: 'Next.js',
    what: 'telemetry',
    packages: ['next'],
    command: program('next'),
    hosts: /^telemetry\.nextjs\.org$/,
    settings: ['NEXT_TELEMETRY_DISABLED=1'],
  },
  {
    client: 'Astro',
    what: 'telemetry',
    packages: ['astro', '@astrojs/telemetry'],
    command: program('astro'),
    hosts: /^telemetry\.astro\.build$/,
    settings: ['ASTRO_TELEMETRY_DISABLED=1'],
  },
  {
    client: 'Gatsby',
    what: 'telemetry',
    packages: ['gatsby', 'gatsby-telemetry', 'gatsby-cli'],
    command: program('gatsby'),
    hosts: /^analytics\.gatsbyjs\.com$/,
    settings: ['GATSBY_TELEMETRY_DISABLED=1'],
  },
  {
    client: 'Angular',
    what: 'analytics',
    packages: ['@angular/cli'],
    command: program('ng'),
    settings: ['NG_CLI_ANALYTICS=false'],
  },
  {
    client: 'Nuxt',
    what: 'telemetry',
    packages: ['nuxt', '@nuxt/telemetry', 'nuxi'],
    command: program('nuxt|nuxi'),
    hosts: /^telemetry\.nuxt\.com$/,
    settings: ['NUXT_TELEMETRY_DISABLED=1'],
  },
  {
    client: 'Storybook',
    what: 'telemetry, update notice',
    packages: ['storybook', '@storybook/telemetry'],
    command: program('storybook|sb'),
    settings: ['STORYBOOK_DISABLE_TELEMETRY=1'],
  },
  {
    client: 'Turborepo',
    what: 'telemetry',
    packages: ['turbo'],
    command: program('turbo'),
    hosts: /^telemetry\.vercel\.com$/,
    settings: ['TURBO_TELEMETRY_DISABLED=1', 'DO_NOT_TRACK=1'],
  },
  {
    client: 'Prisma',
    what: 'version check',
    packages: ['prisma', '@prisma/engines', 'checkpoint-client'],
    command: program('prisma'),
    hosts: /^checkpoint\.prisma\.io$/,
    settings: ['CHECKPOINT_DISABLE=1'],
  },
  {
    client: 'Playwright',
    what: 'browser downloads',
    packages: ['playwright', 'playwright-core', '@playwright/test'],
    settings: ['PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1'],
  },
  {
    client: 'Puppeteer',
    what: 'browser downloads',
    packages: ['puppeteer'],
    settings: ['PUPPETEER_SKIP_DOWNLOAD=true'],
  },
  { client: 'Cypress', what: 'binary download', packages: ['cypress'], settings: ['CYPRESS_INSTALL_BINARY=0'] },
  {
    client: 'Sharp',
    what: 'binary download',
    packages: ['sharp'],
    settings: ['npm_config_sharp_binary_host=(a host inside)'],
  },
  {
    client: 'Strapi',
    what: 'telemetry',
    packages: ['@strapi/strapi'],
    hosts: /^analytics\.strapi\.io$/,
    settings: ['STRAPI_TELEMETRY_DISABLED=true'],
  },
  {
    client: 'Nx',
    what: 'analytics, remote cache',
    packages: ['nx'],
    command: program('nx'),
    settings: ['NX_NO_CLOUD=true'],
  },
  {
    client: 'n8n',
    what: 'diagnostics, version notice, templates',
    packages: ['n8n'],
    settings: [
      'N8N_DIAGNOSTICS_ENABLED=false',
      'N8N_VERSION_NOTIFICATIONS_ENABLED=false',
      'N8N_TEMPLATES_ENABLED=false',
    ],
  },
  { client: '.NET', what: 'telemetry', command: program('dotnet'), settings: ['DOTNET_CLI_TELEMETRY_OPTOUT=1'] },
  {
    client: 'PowerShell',
    what: 'telemetry, update check',
    command: program('pwsh'),
    settings: ['POWERSHELL_TELEMETRY_OPTOUT=1', 'POWERSHELL_UPDATECHECK=Off'],
  },
  {
    client: 'Go',
    what: 'modules, checksum database, toolchains',
    command: program('go'),
    settings: ['GOPROXY=(the depot)', 'GOTOOLCHAIN=local', 'GOTELEMETRY=off', 'GOFLAGS=-mod=vendor'],
  },
  { client: 'Cargo', what: 'index and crates', command: program('cargo'), settings: ['CARGO_NET_OFFLINE=true'] },
  { client: 'Maven', what: 'artifacts', command: program('mvn|mvnw'), settings: ['MAVEN_ARGS=--offline'] },
  { client: 'Gradle', what: 'artifacts, build scans', command: program('gradle|gradlew'), settings: ['--offline'] },
  {
    client: 'Helm',
    what: 'repositories',
    command: program('helm'),
    settings: ['charts by path or from the depot, and no `helm repo update`'],
  },
  {
    client: 'Hugging Face',
    what: 'models, data sets, telemetry',
    packages: ['huggingface-hub', 'huggingface_hub', 'transformers', 'datasets', 'diffusers', 'sentence-transformers'],
    settings: ['HF_HUB_OFFLINE=1', 'TRANSFORMERS_OFFLINE=1', 'HF_DATASETS_OFFLINE=1', 'HF_HUB_DISABLE_TELEMETRY=1'],
  },
  {
    client: 'NLTK',
    what: 'data',
    packages: ['nltk'],
    settings: ['NLTK_DATA=(a folder that was captured)'],
  },
  { client: 'Gradio', what: 'analytics', packages: ['gradio'], settings: ['GRADIO_ANALYTICS_ENABLED=False'] },
  {
    client: 'OpenTelemetry',
    what: 'exporters',
    packages: [
      '@opentelemetry/sdk-node',
      '@opentelemetry/auto-instrumentations-node',
      'opentelemetry-sdk',
      'opentelemetry-distro',
    ],
    settings: [
      'OTEL_SDK_DISABLED=true',
      'OTEL_TRACES_EXPORTER=none',
      'OTEL_METRICS_EXPORTER=none',
      'OTEL_LOGS_EXPORTER=none',
    ],
  },
  {
    client: 'Sentry',
    what: 'error reports',
    packages: ['@sentry/node', '@sentry/cli', 'sentry-sdk', 'sentry_sdk'],
    hosts: /(?:^|\.)ingest(?:\.[a-z]{2})?\.sentry\.io$/,
    settings: ['SENTRY_DSN=', 'SENTRYCLI_SKIP_DOWNLOAD=1'],
  },
  {
    client: 'Datadog',
    what: 'traces, metrics, agent telemetry',
    packages: ['dd-trace', 'ddtrace', 'datadog'],
    hosts: /(?:^|\.)(?:trace|instrumentation-telemetry-intake|telemetry|api)\.(?:[a-z0-9]+\.)?datadoghq\.(?:com|eu)$/,
    settings: ['DD_TRACE_ENABLED=false', 'DD_INSTRUMENTATION_TELEMETRY_ENABLED=false'],
  },
  {
    client: 'New Relic',
    what: 'agent',
    packages: ['newrelic'],
    hosts: /(?:^|\.)collector\d*\.(?:[a-z0-9]+\.)?newrelic\.com$/,
    settings: ['NEW_RELIC_ENABLED=false'],
  },
  {
    client: 'Segment',
    what: 'analytics',
    packages: ['analytics-node', '@segment/analytics-node', 'segment-analytics-python'],
    hosts: /^(?:api|cdn)\.segment\.(?:io|com)$/,
    settings: ['DO_NOT_TRACK=1'],
  },
  {
    client: 'Scarf',
    what: 'install statistics',
    packages: ['@scarf/scarf'],
    settings: ['SCARF_ANALYTICS=false', 'DO_NOT_TRACK=1'],
  },
  {
    client: 'Open Collective',
    what: 'postinstall notice',
    packages: ['opencollective', 'opencollective-postinstall'],
    settings: ['DISABLE_OPENCOLLECTIVE=1'],
  },
  { client: 'core-js', what: 'postinstall notice', packages: ['core-js', 'core-js-pure'], settings: ['ADBLOCK=1'] },
  {
    client: 'Streamlit',
    what: 'usage statistics',
    packages: ['streamlit'],
    command: program('streamlit'),
    hosts: /^(?:webhooks\.fivetran|data\.streamlit|checkip\.amazonaws)\.(?:com|io)$/,
    settings: ['STREAMLIT_BROWSER_GATHER_USAGE_STATS=false'],
  },
  {
    client: 'dbt',
    what: 'usage statistics, version check',
    packages: ['dbt-core'],
    command: program('dbt'),
    settings: ['DBT_SEND_ANONYMOUS_USAGE_STATS=False', 'DBT_VERSION_CHECK=false'],
  },
  {
    client: 'Airflow',
    what: 'usage data',
    packages: ['apache-airflow'],
    command: program('airflow'),
    settings: ['SCARF_ANALYTICS=false', 'AIRFLOW__USAGE_DATA_COLLECTION__ENABLED=False'],
  },
  {
    client: 'Prefect',
    what: 'telemetry',
    packages: ['prefect'],
    command: program('prefect'),
    settings: ['PREFECT_SERVER_ANALYTICS_ENABLED=false', 'DO_NOT_TRACK=1'],
  },
  {
    client: 'MLflow',
    what: 'telemetry',
    packages: ['mlflow'],
    command: program('mlflow'),
    settings: ['MLFLOW_DISABLE_TELEMETRY=true', 'DO_NOT_TRACK=true'],
  },
  { client: 'Weights & Biases', what: 'runs', packages: ['wandb'], settings: ['WANDB_MODE=offline'] },
  { client: 'Chroma', what: 'telemetry', packages: ['chromadb'], settings: ['ANONYMIZED_TELEMETRY=False'] },
  {
    client: 'Haystack',
    what: 'telemetry',
    packages: ['haystack-ai', 'farm-haystack'],
    settings: ['HAYSTACK_TELEMETRY_ENABLED=False'],
  },
  {
    client: 'LangSmith',
    what: 'traces',
    packages: ['langsmith', 'langchain'],
    settings: ['LANGSMITH_TRACING=false', 'LANGCHAIN_TRACING_V2=false'],
  },
  {
    client: 'tiktoken',
    what: 'encodings',
    packages: ['tiktoken'],
    settings: ['TIKTOKEN_CACHE_DIR=(a folder that was captured)'],
  },
  {
    client: 'Terraform',
    what: 'checkpoint, providers',
    command: program('terraform|packer|consul|nomad'),
    hosts: /^checkpoint(?:-api)?\.hashicorp\.com$/,
    settings: ['CHECKPOINT_DISABLE=1'],
  },
  { client: 'Vault', what: 'product usage', command: program('vault'), settings: ['OPTOUT_LICENSE_REPORTING=true'] },
  {
    client: 'Grafana',
    what: 'usage statistics, update check, news, gravatar',
    command: program('grafana|grafana-server'),
    hosts: /^(?:stats\.grafana\.org|secure\.gravatar\.com)$/,
    settings: [
      'GF_ANALYTICS_REPORTING_ENABLED=false',
      'GF_ANALYTICS_CHECK_FOR_UPDATES=false',
      'GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES=false',
      'GF_SECURITY_DISABLE_GRAVATAR=true',
      'GF_NEWS_NEWS_FEED_ENABLED=false',
    ],
  },
  {
    client: 'Loki, Tempo, Mimir',
    what: 'usage statistics',
    command: program('loki|tempo|mimir'),
    hosts: /^stats\.grafana\.org$/,
    settings: ['-reporting.enabled=false'],
  },
  {
    client: 'Elasticsearch',
    what: 'GeoIP data, telemetry',
    command: /org\.elasticsearch|(?:^|\/)elasticsearch(?:\s|$)/,
    hosts: /^(?:geoip|telemetry)\.elastic\.co$/,
    settings: ['ingest.geoip.downloader.enabled=false'],
  },
  {
    client: 'Kibana',
    what: 'telemetry, news',
    command: program('kibana'),
    hosts: /^(?:telemetry|telemetry-staging|feeds|tiles\.maps)\.elastic\.co$/,
    settings: ['TELEMETRY_ENABLED=false', 'NEWSFEED_ENABLED=false'],
  },
  {
    client: 'Traefik',
    what: 'version check, usage',
    command: program('traefik'),
    settings: ['--global.checknewversion=false', '--global.sendanonymoususage=false'],
  },
  {
    client: 'Caddy',
    what: 'certificates',
    command: program('caddy'),
    settings: ['auto_https off, or an authority of the site'],
  },
  {
    client: 'MinIO',
    what: 'update check, call home',
    command: program('minio|mc'),
    settings: ['MINIO_UPDATE=off', 'MINIO_CALLHOME_ENABLE=off'],
  },
  {
    client: 'Trivy',
    what: 'databases, version check',
    command: program('trivy'),
    settings: [
      'TRIVY_SKIP_DB_UPDATE=true',
      'TRIVY_SKIP_VERSION_CHECK=true',
      'TRIVY_OFFLINE_SCAN=true',
      'TRIVY_DISABLE_TELEMETRY=true',
    ],
  },
  {
    client: 'Grype',
    what: 'database, update check',
    command: program('grype|syft'),
    settings: ['GRYPE_DB_AUTO_UPDATE=false', 'GRYPE_CHECK_FOR_APP_UPDATE=false', 'SYFT_CHECK_FOR_APP_UPDATE=false'],
  },
  {
    client: 'Ansible Galaxy',
    what: 'collections',
    command: program('ansible-galaxy'),
    settings: ['ANSIBLE_GALAXY_SERVER=(the depot)'],
  },
  {
    client: 'Homebrew',
    what: 'analytics, updates',
    command: program('brew'),
    settings: ['HOMEBREW_NO_ANALYTICS=1', 'HOMEBREW_NO_AUTO_UPDATE=1'],
  },
  { client: 'Git LFS', what: 'large files', command: program('git-lfs'), settings: ['GIT_LFS_SKIP_SMUDGE=1'] },
  {
    client: 'GitLab',
    what: 'service ping, version check',
    command: program('gitlab-rails|puma-gitlab'),
    settings: ["gitlab_rails['usage_ping_enabled'] = false"],
  },
  {
    client: 'Gitea',
    what: 'update check, avatars',
    command: program('gitea|forgejo'),
    settings: [
      'GITEA__server__OFFLINE_MODE=true',
      'GITEA__cron_0x2E_update_checker__ENABLED=false',
      'GITEA__picture__DISABLE_GRAVATAR=true',
    ],
  },
  {
    client: 'Jenkins',
    what: 'update centre, usage',
    command: /jenkins\.war/,
    settings: ['-Dhudson.model.UpdateCenter.never=true', '-Dhudson.model.UsageStatistics.disabled=true'],
  },
  {
    client: 'Keycloak',
    what: 'nothing by itself; identity providers',
    command: program('kc\\.sh'),
    settings: ['no identity providers outside'],
  },
];

/** What one run shows. `environment`: what programs were given. Neither order nor time of attempts matters. */
export function runtimeHosts(
  attempts: readonly Attempt[],
  outcomes: readonly MachineOutcome[],
  environment: Readonly<Record<string, string>>,
): RuntimeHost[] {
  const groups = groupsOf(attempts);
  const outcomeOf = new Map(outcomes.map((outcome) => [outcome.machine, outcome]));
  const called = new Set<Caller>();
  const seen = groups.map((group): RuntimeHost => {
    const callers = callersOf(group, outcomeOf);
    for (const caller of callers) called.add(caller);
    const results = [...group.machines].map((machine) => outcomeOf.get(machine)?.ok);
    const caller = callers[0];
    return {
      host: group.host,
      ...(group.port === undefined ? {} : { port: group.port }),
      protocol: group.protocol,
      verdict: results.includes(false) ? 'needed' : results.includes(undefined) ? 'unknown' : 'optional',
      by: [...group.by].sort(),
      count: group.count,
      ...(caller === undefined ? {} : { setting: caller.settings.join(' '), what: `${caller.client}: ${caller.what}` }),
    };
  });
  const silenced = CALLERS.filter((caller) => !called.has(caller)).flatMap((caller) =>
    silencedBy(caller, outcomes, environment),
  );
  return [...seen, ...silenced];
}

interface Group {
  readonly host: string;
  port: number | undefined;
  protocol: string;
  readonly machines: Set<string>;
  readonly by: Set<string>;
  readonly packages: Set<string>;
  readonly commands: Set<string>;
  count: number;
}

/** A name that was asked and the calls to it are one host; each port is another. */
function groupsOf(attempts: readonly Attempt[]): Group[] {
  const groups = new Map<string, Group>();
  const add = (attempt: Attempt, host: string, port: number | undefined): void => {
    const key = `${host} ${port ?? ''} ${attempt.kind === 'name' ? '' : attempt.protocol}`;
    let group = groups.get(key);
    if (group === undefined) {
      const { protocol } = attempt;
      group = {
        host,
        port,
        protocol,
        machines: new Set(),
        by: new Set(),
        packages: new Set(),
        commands: new Set(),
        count: 0,
      };
      groups.set(key, group);
    }
    group.machines.add(attempt.from);
    group.by.add(attempt.package === undefined ? attempt.from : `${attempt.from}: ${attempt.package}`);
    if (attempt.package !== undefined) group.packages.add(attempt.package.replace(/(?<=.)@[^@]*$/, ''));
    if (attempt.process !== undefined) group.commands.add(attempt.process.command);
    group.count += attempt.count ?? 1;
  };
  const calls = attempts.filter(({ kind }) => kind === 'call');
  const named = new Set<string>();
  for (const attempt of calls) {
    const host = attempt.serverName ?? attempt.name ?? attempt.address;
    if (host === undefined) continue;
    for (const name of [attempt.serverName, attempt.name]) if (name !== undefined) named.add(`${attempt.from} ${name}`);
    add(attempt, host, attempt.port);
  }
  // Asked for and never called: the answer was enough, or it had no time for more.
  for (const attempt of attempts) {
    if (attempt.kind !== 'name' || attempt.name === undefined || named.has(`${attempt.from} ${attempt.name}`)) continue;
    add(attempt, attempt.name, undefined);
  }
  return [...groups.values()];
}

/** The surest first: a host that serves nothing else, then the package, then the program. */
function callersOf(group: Group, outcomes: ReadonlyMap<string, MachineOutcome>): Caller[] {
  const commands =
    group.commands.size > 0
      ? [...group.commands]
      : [...group.machines].flatMap((one) => outcomes.get(one)?.commands ?? []);
  const byHost = CALLERS.filter(({ hosts }) => hosts?.test(group.host) === true);
  const byPackage = CALLERS.filter(({ packages = [] }) => packages.some((name) => group.packages.has(name)));
  const byCommand = CALLERS.filter(
    ({ command }) => command !== undefined && commands.some((line) => command.test(line)),
  );
  return [...new Set([...byHost, ...byPackage, ...byCommand])];
}

function silencedBy(
  caller: Caller,
  outcomes: readonly MachineOutcome[],
  environment: Readonly<Record<string, string>>,
): RuntimeHost[] {
  const { command } = caller;
  if (command === undefined) return [];
  const ran = outcomes.filter(({ commands }) => commands.some((line) => command.test(line)));
  const given = caller.settings.filter((setting) => isGiven(setting, environment, ran));
  if (ran.length === 0 || given.length === 0) return [];
  return [
    {
      host: `${caller.client}: ${caller.what}`,
      protocol: 'tcp',
      verdict: 'silenced',
      by: ran.map(({ machine }) => machine).sort(),
      count: 0,
      setting: given.join(' '),
      what: `${caller.client}: ${caller.what}`,
    },
  ];
}

/** A variable with this value, or another spelling of the same truth; or an option on the command line. */
function isGiven(
  setting: string,
  environment: Readonly<Record<string, string>>,
  ran: readonly MachineOutcome[],
): boolean {
  if (setting.startsWith('-')) return ran.some(({ commands }) => commands.some((line) => line.includes(setting)));
  const at = setting.indexOf('=');
  const name = setting.slice(0, at);
  const wanted = setting.slice(at + 1);
  if (at === -1 || !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) return false;
  const value = environment[name];
  if (value === undefined) return false;
  return wanted.startsWith('(') || truth(value) === truth(wanted);
}

function truth(value: string): string {
  const word = value.trim().toLowerCase();
  if (['1', 'true', 'yes', 'on'].includes(word)) return 'true';
  if (['0', 'false', 'no', 'off'].includes(word)) return 'false';
  return word;
}
