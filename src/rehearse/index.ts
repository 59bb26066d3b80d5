export { rehearseCatalogue } from './faults.ts';
export { type Report, reportShape } from './report.ts';
