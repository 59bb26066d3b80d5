import type { ClientConfig } from '#ecosystems';

function index(base: string): string {
  return `${base}/pypi/simple/`;
}

/** pip takes plain http from loopback only, unless it is told otherwise. */
function needsTrust(base: string): boolean {
  const { protocol, hostname } = new URL(base);
  return protocol === 'http:' && hostname !== 'localhost' && hostname !== '[::1]' && !hostname.startsWith('127.');
}

export const pypiClients: readonly ClientConfig[] = [
  {
    client: 'pip',
    summary: 'pip: an index, without the check for a newer pip',
    render: (base) =>
      [
        '# ~/.config/pip/pip.conf, or pip.conf in a virtual environment',
        '[global]',
        `index-url = ${index(base)}`,
        ...(needsTrust(base) ? [`trusted-host = ${new URL(base).host}`] : []),
        'disable-pip-version-check = true',
        '',
      ].join('\n'),
    environment: (base) => ({
      PIP_INDEX_URL: index(base),
      ...(needsTrust(base) && { PIP_TRUSTED_HOST: new URL(base).host }),
      PIP_DISABLE_PIP_VERSION_CHECK: '1',
      PIP_NO_INPUT: '1',
    }),
  },
  {
    client: 'uv',
    summary: 'uv: a default index, for requirements files; a uv.lock names the addresses of its files itself',
    render: (base) =>
      [
        '# uv.toml in the project, or ~/.config/uv/uv.toml',
        'python-downloads = "never"',
        '[[index]]',
        `url = "${index(base)}"`,
        'default = true',
        '',
      ].join('\n'),
    environment: (base) => ({
      UV_DEFAULT_INDEX: index(base),
      ...(needsTrust(base) && { UV_INSECURE_HOST: new URL(base).host }),
      UV_PYTHON_DOWNLOADS: 'never',
    }),
  },
  {
    client: 'poetry',
    summary: 'poetry: a primary source in pyproject.toml; poetry has no setting for it outside the project',
    render: (base) => [`poetry source add --priority=primary depot ${index(base)}`, 'poetry lock', ''].join('\n'),
    environment: () => ({}),
  },
];
