import { test } from 'node:test';
import { compareOnRandomClusters } from './testing/compare-dialects.ts';
import { absent, compareOnClusters } from './testing/compare-kubernetes.ts';

// As packets.test.ts and dialects.test.ts, on thousands of clusters.
test('the engine agrees with a judge of single packets on thousands of clusters', { skip: absent }, (t) => {
  if (compareOnClusters(2000, 7) === undefined) t.skip('python3 is not on this machine');
});

for (const dialect of ['Cilium', 'Calico'] as const) {
  test(`with ${dialect} the engine agrees with a judge of single packets on thousands of clusters`, () => {
    compareOnRandomClusters(dialect, 2500, 10_001);
  });
}
