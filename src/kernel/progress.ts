/** What long work tells while it runs. Reporters (terminal, plain, NDJSON) turn it into stderr; nothing else reads it. */
export type Progress =
  | { readonly type: 'step'; readonly step: string; readonly title: string }
  | {
      readonly type: 'amount';
      readonly step: string;
      readonly done: number;
      /** Absent while it is not known. */
      readonly total?: number;
      readonly unit: 'bytes' | 'items';
      readonly current?: string;
    }
  | { readonly type: 'note'; readonly level: 'info' | 'warn'; readonly text: string }
  | { readonly type: 'end'; readonly step: string; readonly title: string; readonly ok: boolean };

export type Report = (event: Progress) => void;
