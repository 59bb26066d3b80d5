export { RunAuthority } from '../agent/run-authority.ts';
export { javaTrustStore, TRUST_STORE_PASSWORD } from '../java-trust-store.ts';
export { openTestUpstream, type TestUpstream } from './upstream.ts';
