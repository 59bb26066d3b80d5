export { type FaultPlan, faultyFiles } from './faulty-files.ts';
export { temporaryFolder } from './temporary.ts';
