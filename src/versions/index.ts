export { fromNative } from './native.ts';
export { type Compare, orderOf } from './order.ts';
export { type Constraint, contains, formatVers, parseVers, type VersionRange } from './range.ts';
