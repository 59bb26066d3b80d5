import { type Catalogue, faultsOf } from '#kernel';

export const storeCatalogue = {
  'store.full': {
    title: 'The disk of the store is full.',
    fix: 'Free space on the file system that holds the home, or move the home to a larger one; then run the same command again. What was finished is kept.',
  },
  'store.digest': {
    title: 'A finished file is not the content that it was announced as.',
    fix: 'Run the command again. If it happens twice, have the disk checked.',
  },
  'store.database': {
    title: 'The database of the home could not be used.',
    fix: 'End other programs that use this home. If it is damaged, remove state.db, state.db-wal and state.db-shm; it is made again from ledger and store.',
  },
  'store.database-version': {
    title: 'The database of the home was made by a newer version of Sallyport.',
    fix: 'Use that version, or remove state.db; it is made again from ledger and store.',
  },
} as const satisfies Catalogue;

export const storeFault = faultsOf(storeCatalogue);
