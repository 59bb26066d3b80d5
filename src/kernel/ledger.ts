import type { Digest } from './digest.ts';
import type { JsonObject } from './json.ts';

/** Something that happened, as an in-toto statement (v1) without its frame. */
export interface Happening {
  /** `sallyport/<noun>/v1`, for example `sallyport/sealed/v1`. */
  readonly predicateType: string;
  readonly subject: readonly { readonly name: string; readonly digest: { readonly sha256: string } }[];
  readonly predicate: JsonObject;
}

/** Where a statement stands, after the checkpoint that covers it is on disk. */
export interface Appended {
  readonly index: number;
  /** Tree size of that checkpoint. */
  readonly size: number;
  /** Root hash of that checkpoint, base64 as in the checkpoint. */
  readonly root: string;
  /** Digest of the statement's exact bytes, by which it is stored beside the log. */
  readonly statement: Digest;
}

/** The evidence bus: a context proves that something happened by appending it. */
export interface LedgerAppender {
  append(happening: Happening): Promise<Appended>;
}
