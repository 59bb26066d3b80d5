export { admitCatalogue } from './faults.ts';
export { recoverSide } from './recover-side.ts';
