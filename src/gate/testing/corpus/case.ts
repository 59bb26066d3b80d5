import type { ExamineKind } from '../../operations.ts';

/** What a folder of a case holds at a path: bytes, a link, or a FIFO. */
export type Held = Uint8Array | { readonly link: string } | { readonly fifo: true };

/** What is examined. `holes` is a sparse file, so that a size can be claimed that no disk must hold. */
export type Material =
  | Uint8Array
  | { readonly folder: Readonly<Record<string, Held>> }
  | { readonly size: number; readonly holes: readonly { readonly at: number; readonly bytes: Uint8Array }[] };

/** One case of the hostile corpus: what it stands for, how it is made, and what the gate must answer. */
export interface HostileCase {
  /** Class of the corpus: HC-01 to HC-27; `control` for a harmless one. */
  readonly id: string;
  /** Unique, and the stem of its file. */
  readonly name: string;
  /** The weaknesses that it stands for; '' where it has no number. */
  readonly cve: string;
  readonly as: ExamineKind;
  /** Extension of the file. */
  readonly extension: string;
  readonly expect: 'accept' | 'neutralised' | 'refuse';
  /** Codes that must be among the reasons. */
  readonly codes: readonly string[];
  readonly make: () => Material;
}

export type Codes = string | readonly string[];

export function codesOf(codes: Codes): readonly string[] {
  return (typeof codes === 'string' ? [codes] : codes).filter((code) => code !== '').map((code) => `examine.${code}`);
}
