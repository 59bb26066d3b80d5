import type { ClientConfig } from '#ecosystems';

function registry(base: string): string {
  return `${base}/npm/`;
}

/** Clients that speak npm's registry protocol. Calls home that none of them needs (update checks, audits) are switched off. */
export const npmClients: readonly ClientConfig[] = [
  {
    client: 'npm',
    summary:
      "npm: a registry, and 'replace-registry-host', so that lockfiles that name another registry work unchanged",
    render: (base) =>
      [
        '# ~/.npmrc, or .npmrc in the project',
        `registry=${registry(base)}`,
        'replace-registry-host=always',
        'update-notifier=false',
        'audit=false',
        'fund=false',
        '',
      ].join('\n'),
    environment: (base) => ({
      npm_config_registry: registry(base),
      npm_config_replace_registry_host: 'always',
      npm_config_update_notifier: 'false',
      npm_config_audit: 'false',
      npm_config_fund: 'false',
    }),
  },
  {
    client: 'pnpm',
    summary: 'pnpm: a registry; its lockfile names no addresses',
    render: (base) =>
      [
        '# ~/.npmrc, or .npmrc in the project',
        `registry=${registry(base)}`,
        '# pnpm 10 and newer read this one from pnpm-workspace.yaml: updateNotifier: false',
        'update-notifier=false',
        '',
      ].join('\n'),
    environment: (base) => ({
      npm_config_registry: registry(base),
      pnpm_config_registry: registry(base),
      npm_config_update_notifier: 'false',
      pnpm_config_update_notifier: 'false',
    }),
  },
  {
    client: 'yarn',
    summary: 'yarn 2 and newer: a registry server. yarn 1 ignores it for locked packages and is not supported',
    render: (base) =>
      [
        '# ~/.yarnrc.yml, or .yarnrc.yml in the project',
        `npmRegistryServer: "${registry(base)}"`,
        ...(isPlain(base) ? ['unsafeHttpWhitelist:', `  - "${new URL(base).hostname}"`] : []),
        'enableTelemetry: false',
        '',
      ].join('\n'),
    environment: (base) => ({
      YARN_NPM_REGISTRY_SERVER: registry(base),
      ...(isPlain(base) && { YARN_UNSAFE_HTTP_WHITELIST: new URL(base).hostname }),
      YARN_ENABLE_TELEMETRY: '0',
    }),
  },
  {
    client: 'bun',
    summary: 'bun: a registry, for lockfiles that name no addresses',
    render: (base) =>
      ['# bunfig.toml in the project, or ~/.bunfig.toml', '[install]', `registry = "${registry(base)}"`, ''].join('\n'),
    environment: (base) => ({ BUN_CONFIG_REGISTRY: registry(base), npm_config_registry: registry(base) }),
  },
];

function isPlain(base: string): boolean {
  return base.startsWith('http:');
}
