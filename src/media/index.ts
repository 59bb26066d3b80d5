export { bareStream, type Stream, streamOf } from './bundle-stream.ts';
export { mediaCatalogue, mediaReason } from './faults.ts';
export { readExactly } from './medium-bytes.ts';
export { BUNDLE_START, type MediumMap, readMedium } from './medium-map.ts';
export { type Extent, type Volume, type VolumeEntry } from './volume.ts';
