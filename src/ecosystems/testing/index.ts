export { admitted, ask, bytesOf, ecosystemContract, resolve, type Sample, textOf } from './contract.ts';
export { type AdmittedRows, hashOf, memoryCatalog, memoryContent } from './memory.ts';
export { tarball, zip } from './archives.ts';
export { captured, Mismatch, projectInput, type Route, stubUpstream, type StubUpstream } from './upstream.ts';
export {
  alpine,
  type IndexedFile,
  linuxAmd64,
  linuxArm64,
  NPM_REGISTRY,
  npmLock,
  npmPackage,
  npmRegistry,
  npmSample,
  PYPI_INDEX,
  pypiIndex,
  pypiSample,
  sri,
  wheel,
} from './samples.ts';
