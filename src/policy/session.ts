import { type Analysis, analysisOf } from './analysis.ts';
import type { MapState } from './connections.ts';
import type { Profile } from './engine.ts';
import type { Cni } from './enforcers.ts';
import { type ManifestFile, readCluster, ReadingMemory } from './read-cluster.ts';

/**
 * Analyses manifests again and again as they change. Documents that are as they were are not read again, and where only
 * policies changed, only the walls that they make are looked at again. Each answer is what `analyse` says of the same
 * files.
 */
export class PolicySession {
  readonly #profile: Profile;
  readonly #cni: Cni | undefined;
  readonly #memory = new ReadingMemory();
  #before: MapState | undefined;

  constructor(profile: Profile, cni?: Cni) {
    this.#profile = profile;
    this.#cni = cni;
  }

  analyse(files: readonly ManifestFile[]): Analysis {
    const view = { profile: this.#profile, cni: this.#cni };
    const { analysis, state } = analysisOf(readCluster(files, view, this.#memory), view, this.#before);
    this.#before = state;
    return analysis;
  }
}
