export { provingCatalogue } from './faults.ts';
