export { type Outside, outsideWith, type Some } from './outside.ts';
