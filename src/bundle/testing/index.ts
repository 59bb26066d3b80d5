export { craftBundle, type Lies, type Member } from './craft.ts';
export { bundleLies, type Sample } from './lies.ts';
export { endOfProcess, memoryFolder, type Outside, outsideWith, type Some } from './outside.ts';
