export { type ChainJudgement, type InHand, judgeChain, parseChain } from './custody-chain.ts';
export { custodyCatalogue, reason as custodyReason } from './faults.ts';
export { mediaOf } from './io/media.ts';
export { type MediaRegister } from './medium.ts';
export { judgeScans } from './scan.ts';
