export { admitCatalogue } from './faults.ts';
export { recoverSide } from './recover-side.ts';
export { ADMITTED_PREDICATE, recoveredDatabase, REFUSED_PREDICATE } from './recover.ts';
