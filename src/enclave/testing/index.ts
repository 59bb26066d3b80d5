export { openTestUpstream, type TestUpstream } from './upstream.ts';
