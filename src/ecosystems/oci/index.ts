import type { Ecosystem } from '#ecosystems';

export { ociCatalogue } from './faults.ts';

/** Container images and other artifacts of OCI registries. */
export const oci: Ecosystem = {
  id: 'oci',
  title: 'container images and OCI artifacts',
  lookupKey: (name) => name,
  outside: async () => (await import('./outside.ts')).ociOutside,
  inside: async () => (await import('./inside.ts')).ociInside,
};
