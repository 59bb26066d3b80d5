export { makeFolderDurably, readIfThere, writeDurably } from './durable.ts';
export { systemCatalogue } from './faults.ts';
export { nodeFiles } from './files.ts';
export { homePath, openHome } from './home.ts';
