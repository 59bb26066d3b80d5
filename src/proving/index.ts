export { provingCatalogue } from './faults.ts';
export { askKernel, type LiveAnswers, type LiveOptions } from './io/proof.ts';
