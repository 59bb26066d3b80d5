import { test } from 'node:test';
import { absent, compareOnClusters } from './testing/compare-kubernetes.ts';

test('the engine agrees with a judge of single packets on random clusters', { skip: absent }, (t) => {
  if (compareOnClusters(100, 1) === undefined) t.skip('python3 is not on this machine');
});
