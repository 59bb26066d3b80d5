export { provingCatalogue } from './faults.ts';
export { askKernel, type LiveAnswers, type LiveOptions } from './io/proof.ts';
export { type LiveRollout, performRollout, type RolloutOptions } from './io/rollout.ts';
export { enforcedStates, questionsOf } from './two-states.ts';
export { openGround } from './io/ground.ts';
export { planProbes } from './probe-plan.ts';
