export { captureCatalogue } from './faults.ts';
