export { policyCatalogue } from './faults.ts';
export { lintCatalogue } from './lint/rules.ts';
export { csv } from './drawing/csv.ts';
export { flowRow } from './flow-row.ts';
export { type DeclaredFlow, readFlowSet } from './flow-set.ts';
export { writeAnswer, type Writing, writingOf } from './io/output-file.ts';
export { whyUnknown } from './analysis.ts';
export { PolicySession } from './session.ts';
