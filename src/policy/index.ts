export { policyCatalogue } from './faults.ts';
export { lintCatalogue } from './lint/rules.ts';
