export { runCommandLine, type Base, type Terminal } from './program.ts';
