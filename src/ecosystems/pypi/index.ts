import type { Ecosystem } from '#ecosystems';
import { normaliseName } from './names.ts';

export { pypiCatalogue } from './faults.ts';

/** Python package indexes and their clients. Names are looked up as PEP 503 normalises them. */
export const pypi: Ecosystem = {
  id: 'pypi',
  title: 'pip, uv, poetry',
  lookupKey: normaliseName,
  outside: async () => (await import('./outside.ts')).pypiOutside,
  inside: async () => (await import('./inside.ts')).pypiInside,
};
