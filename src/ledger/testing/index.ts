export { forgeries, type Forgery, FORGERY_SIZE, forgerySigner, writeForgeryBase } from './forgeries.ts';
export { putStatement, signText, writeLog } from './log.ts';
export { testSigner } from './signer.ts';
