export { craftBundle, type Lies, type Member } from './craft.ts';
export { type Outside, outsideWith, type Some } from './outside.ts';
