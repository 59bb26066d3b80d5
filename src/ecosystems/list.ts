import type { Ecosystem } from '#ecosystems';
import { files } from './files/index.ts';
import { npm } from './npm/index.ts';
import { oci } from './oci/index.ts';
import { pypi } from './pypi/index.ts';

/** Every ecosystem of the product, sorted by id: adding one is adding its folder and its line here. */
export const ecosystems: readonly Ecosystem[] = [files, npm, oci, pypi];

export function ecosystemOf(id: string): Ecosystem | undefined {
  return ecosystems.find((ecosystem) => ecosystem.id === id);
}

export { filesCatalogue } from './files/faults.ts';
export { npmCatalogue } from './npm/faults.ts';
export { ociCatalogue } from './oci/faults.ts';
export { pypiCatalogue } from './pypi/faults.ts';
