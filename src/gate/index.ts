export { type Carried, openCarried } from './carried.ts';
export { examinePath, type Examined } from './examine.ts';
export { gateCatalogue } from './faults.ts';
export { LIMITS } from './limits.ts';
