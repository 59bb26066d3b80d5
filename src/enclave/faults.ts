import { type Catalogue, faultsOf } from '#kernel';

export const enclaveCatalogue = {
  'enclave.forbidden': {
    title: 'This machine does not allow the namespaces that an enclave is made of.',
    fix: "Allow user namespaces (sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0; in a container, its seccomp profile), or run it on a machine that does. 'sallyport doctor' says which is in the way.",
    kind: 'reason',
  },
  'enclave.failed': {
    title: 'The enclave could not be made, or ended by itself.',
    fix: "Run 'sallyport doctor'. If all of it is well there, run the command again and keep its output.",
  },
  'enclave.image': {
    title: 'An image cannot be unpacked.',
    fix: 'See that the image is built for Linux and holds ordinary layers (tar, gzip, zstd); capture it again if it is damaged.',
  },
} as const satisfies Catalogue;

export const enclaveFault = faultsOf(enclaveCatalogue);
