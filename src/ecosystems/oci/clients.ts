import type { ClientConfig } from '#ecosystems';

/** Host and port of the depot's address, as image references and registry tables write it. */
function hostOf(base: string): string {
  return new URL(base).host;
}

function isPlain(base: string): boolean {
  return base.startsWith('http:');
}

export const clients: readonly ClientConfig[] = [
  {
    client: 'skopeo',
    summary: 'Copies and inspects images of the depot; the registry stands as the first part of the name.',
    render: (base) =>
      `skopeo copy${isPlain(base) ? ' --src-tls-verify=false' : ''} docker://${hostOf(base)}/REGISTRY/NAME:TAG oci:FOLDER:TAG\n`,
    environment: () => ({}),
  },
  {
    client: 'containerd',
    summary: 'Asks the depot for every registry: ctr (--hosts-dir), nerdctl, and Kubernetes through the CRI.',
    render: (base) =>
      '# /etc/containerd/certs.d/_default/hosts.toml\n' +
      `# and in config.toml: [plugins."io.containerd.grpc.v1.cri".registry] config_path = "/etc/containerd/certs.d"\n` +
      // Without `server`, containerd turns to the registry itself for whatever the depot does not have.
      `server = "${base}"\n\n[host."${base}"]\n  capabilities = ["pull", "resolve"]\n`,
    environment: () => ({}),
  },
  {
    client: 'podman',
    summary: 'Asks the depot for every image name, unchanged: podman, buildah, CRI-O, skopeo.',
    render: (base) =>
      '# /etc/containers/registries.conf.d/sallyport.conf (or a file named by CONTAINERS_REGISTRIES_CONF)\n' +
      'unqualified-search-registries = []\n\n' +
      '# One block for each registry that your images name:\n' +
      `[[registry]]\nprefix = "REGISTRY"\nlocation = "${hostOf(base)}/REGISTRY"\n${isPlain(base) ? 'insecure = true\n' : ''}blocked = false\n`,
    environment: () => ({}),
  },
  {
    client: 'docker',
    summary: "Asks the depot for images without a registry's name; others are named through the depot.",
    render: (base) =>
      '# /etc/docker/daemon.json\n' +
      `${JSON.stringify({ 'registry-mirrors': [base], ...(isPlain(base) ? { 'insecure-registries': [hostOf(base)] } : {}) }, null, 2)}\n` +
      '# For what the mirror does not have, Docker turns to its own registry: name images through the depot to avoid it.\n' +
      `# Any image: docker pull ${hostOf(base)}/REGISTRY/NAME:TAG\n`,
    environment: () => ({}),
  },
  {
    client: 'crane',
    summary: 'Pulls images of the depot; also oras and regctl, by the same names.',
    render: (base) => `crane pull${isPlain(base) ? ' --insecure' : ''} ${hostOf(base)}/REGISTRY/NAME:TAG image.tar\n`,
    environment: () => ({}),
  },
];
