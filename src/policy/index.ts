export { policyCatalogue } from './faults.ts';
export { lintCatalogue } from './lint/rules.ts';
export { csv } from './drawing/csv.ts';
export { markup } from './drawing/markup.ts';
export { writeAnswer, type Writing, writingOf } from './io/output-file.ts';
