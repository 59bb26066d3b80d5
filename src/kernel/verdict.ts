/** Why a verdict is what it is. `code` stands in a catalogue, so that `sallyport explain` knows it. */
export interface Reason {
  readonly code: string;
  /** The member, entry, file or field that it is about; '' for the whole. */
  readonly where: string;
  readonly detail: string;
}

/** An answer with its evidence. A negative answer is data, never an exception. */
export interface Verdict<V extends string> {
  readonly verdict: V;
  readonly reasons: readonly Reason[];
}
