export { policyCatalogue } from './faults.ts';
