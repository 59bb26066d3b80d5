import type { Ecosystem } from '#ecosystems';

export { filesCatalogue } from './faults.ts';

/** Plain files: of the project, or from an address with a pinned digest. */
export const files: Ecosystem = {
  id: 'files',
  title: 'plain files',
  lookupKey: (name) => name,
  outside: async () => (await import('./outside.ts')).filesOutside,
  inside: async () => (await import('./inside.ts')).filesInside,
};
