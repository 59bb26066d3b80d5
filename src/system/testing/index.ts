export { type FaultPlan, faultyFiles } from './faulty-files.ts';
export { filesContract } from './files-contract.ts';
export { namespacesHere } from './namespaces.ts';
export { networkContract } from './network-contract.ts';
export { temporaryFolder } from './temporary.ts';
