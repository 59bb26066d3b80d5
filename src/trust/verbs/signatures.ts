import { printable, type Style } from '#kernel';
import { type Draft, type Progress, progressOf } from '../draft.ts';

/** Who signed a draft, judged by the root before and by its own. */
export interface Signatures {
  readonly previous?: Shown | undefined;
  readonly own: Shown;
  /** Whether both have enough. Only `trust accept` decides, by the root that a side really has. */
  readonly ready: boolean;
}

interface Shown {
  version: number;
  threshold: number;
  signed: string[];
  missing: string[];
  enough: boolean;
}

export function signaturesOf(draft: Draft): Signatures {
  const own = shown(progressOf(draft.root, draft));
  if (draft.previous === undefined) return { own, ready: own.enough };
  const previous = shown(progressOf(draft.previous.root, draft));
  return { previous, own, ready: previous.enough && own.enough };
}

function shown({ reason: _, ...progress }: Progress): Shown {
  return { ...progress, signed: [...progress.signed], missing: [...progress.missing] };
}

export function showSignatures(signatures: Signatures, style: Style): string[] {
  return [signatures.previous, signatures.own]
    .filter((progress) => progress !== undefined)
    .map(({ version, threshold, signed, missing, enough }) => {
      const count = `${signed.length} of ${threshold} holders of version ${version} signed`;
      const names = signed.length === 0 ? '' : `: ${signed.map(printable).join(', ')}`;
      const rest = enough ? '' : `; these can: ${missing.map(printable).join(', ')}`;
      return `  ${enough ? style.good(count) : style.warn(count)}${names}${rest}`;
    });
}
