export { forgeries, type Forgery, FORGERY_SIZE, forgerySigner, writeForgeryBase } from './forgeries.ts';
export { putStatement, signText, writeLog } from './log.ts';
export { type Fate, powerCutFiles, type PowerCutFiles } from './power-cut-files.ts';
export { testSigner } from './signer.ts';
