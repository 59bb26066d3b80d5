import type { Ecosystem } from '#ecosystems';

export { npmCatalogue } from './faults.ts';

/** npm registries and their clients. Names are looked up byte for byte: `JSONStream` and `jsonstream` are two packages. */
export const npm: Ecosystem = {
  id: 'npm',
  title: 'npm, pnpm, yarn, bun',
  lookupKey: (name) => name,
  outside: async () => (await import('./outside.ts')).npmOutside,
  inside: async () => (await import('./inside.ts')).npmInside,
};
