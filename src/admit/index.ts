export { admitCatalogue } from './faults.ts';
export { ADMITTED_PREDICATE, recoveredDatabase, REFUSED_PREDICATE } from './recover.ts';
