/** Why some bytes are not the document that they claim to be. Bytes from outside are judged, so this is data. */
export interface Problem {
  readonly ok: false;
  /** A path into the document (`$.signatures[0].sig`) or a byte offset (`byte 17`); '' for the whole. */
  readonly where: string;
  readonly detail: string;
}

export function problem(where: string, detail: string): Problem {
  return { ok: false, where, detail };
}

export function isProblem(value: object): value is Problem {
  return 'ok' in value && value.ok === false;
}
