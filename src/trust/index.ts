export { type Algorithm, algorithms, keyidOf, type PublicKey, readPublicKey, signatureFits } from './algorithm.ts';
export { type Extension, extendChain } from './chain.ts';
export { trustCatalogue } from './faults.ts';
export { opensslModule, readCryptoProfile } from './io/crypto-profiles.ts';
export {
  keyNames,
  keySigner,
  ledgerSigner,
  type NoteSigner,
  type Passphrases,
  passphrasesOf,
  roleSigners,
  sealersOf,
} from './io/keys.ts';
export {
  type EffectiveRoot,
  effectiveRoot,
  isRehearsalHome,
  keepRoots,
  type KeptRoot,
  ownRoot,
  type Pinned,
  type Pinning,
  type PinOptions,
  pinRoot,
  readPinned,
  readRootFile,
  readRoots,
  rootOfPersons,
} from './io/roots.ts';
export { makeWitness, readWitness, type WitnessSigner } from './io/witness-keys.ts';
export { createSide, type Side, type SideOptions } from './io/side.ts';
export { type Custody, delegatesOf, type Role, roles } from './role.ts';
export {
  encodeRoot,
  fingerprintOf,
  isSite,
  type Holder,
  type Judged,
  readRoot,
  type Root,
  ROOT_PAYLOAD_TYPE,
  type RootDraft,
  speaksFor,
} from './root.ts';
export { inKeyOrder, type SignatureMade, signaturesMade, type Signer, signEnvelope } from './signing.ts';
export { holdersWith } from './threshold.ts';
export { judgeRoot, type Verification, type VerificationOptions, verifyEnvelope } from './verification.ts';
