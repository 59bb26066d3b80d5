export { type Arrived, examineArrivals, isOpened, RULES } from './arrivals.ts';
export { type Carried, openCarried } from './carried.ts';
export { examinePath, type Examined } from './examine.ts';
export { gateCatalogue } from './faults.ts';
export { LIMITS } from './limits.ts';
