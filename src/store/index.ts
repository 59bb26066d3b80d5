export { type AdmittedBundle, type Database, type Publication } from './database.ts';
export { storeCatalogue } from './faults.ts';
export { openStore } from './io/files-store.ts';
export { openDatabase } from './io/sqlite-database.ts';
export { type Store } from './store.ts';
