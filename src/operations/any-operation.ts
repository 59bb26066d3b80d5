import type { Operation } from '#kernel';

/** Any operation, whatever its input and output are. */
// oxlint-disable-next-line no-explicit-any
export type AnyOperation = Operation<any, any>;
