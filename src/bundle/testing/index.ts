export { craftBundle, type Lies, type Member } from './craft.ts';
export { endOfProcess, memoryFolder, type Outside, outsideWith, type Some } from './outside.ts';
