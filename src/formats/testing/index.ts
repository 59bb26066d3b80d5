export { type EnvelopeLie, envelopeLies } from './envelope-lies.ts';
