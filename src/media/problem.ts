import type { MediaReasonCode } from './faults.ts';

/**
 * Leaves a parser at the point from which it cannot go on. It is an answer about the bytes of a medium, caught by
 * whoever reads one, and never shown as an error of the product.
 */
export class MediaProblem extends Error {
  readonly code: MediaReasonCode;
  readonly where: string;
  constructor(code: MediaReasonCode, where: string, detail: string) {
    super(detail);
    this.code = code;
    this.where = where;
  }
}

export function refuse(code: MediaReasonCode, where: string, detail: string): never {
  throw new MediaProblem(code, where, detail);
}
