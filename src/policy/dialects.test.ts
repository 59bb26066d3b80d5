import { test } from 'node:test';
import { compareOnRandomClusters } from './testing/compare-dialects.ts';

for (const dialect of ['Cilium', 'Calico'] as const) {
  test(`with ${dialect} the engine agrees with a judge of single packets on random clusters, and is certain`, () => {
    compareOnRandomClusters(dialect, 100);
  });
}
