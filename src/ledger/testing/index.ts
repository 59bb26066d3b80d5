export { testSigner } from './signer.ts';
