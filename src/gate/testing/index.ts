import type { HostileCase } from './corpus/case.ts';
import { documentCases } from './corpus/documents.ts';
import { packageCases } from './corpus/packages.ts';
import { tarCases } from './corpus/tars.ts';
import { zipCases } from './corpus/zips.ts';

export { classes } from './corpus/classes.ts';
export { type Held, type HostileCase, type Material } from './corpus/case.ts';
export { layOut } from './lay-out.ts';

/** The hostile corpus: every case with the answer that is due. */
export const hostileCorpus: readonly HostileCase[] = [...tarCases, ...zipCases, ...packageCases, ...documentCases];
export { paperParts, readPaper } from '../outward/paper.ts';
export { sheetsPage } from '../outward/sheets.ts';
