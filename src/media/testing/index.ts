export { hostileMedia, type HostileMedium, TREE } from './hostile-media.ts';
export { Image, type Tree } from './image.ts';
export { makeExfat } from './make-exfat.ts';
export { makeFat } from './make-fat.ts';
export { makeIso } from './make-iso.ts';
export { makeGpt, makeMbr } from './make-table.ts';
export { makeUdf } from './make-udf.ts';
