export { databaseContract } from './database-contract.ts';
export { memoryStore } from './memory-store.ts';
export { storeContract, type StoreUnderTest } from './store-contract.ts';
