/** What the probe is asked, and what it says. Times are milliseconds. */
export type Probe =
  | { readonly probe: 'connect'; readonly host: string; readonly port: number; readonly timeout: number }
  | { readonly probe: 'datagram'; readonly host: string; readonly port: number; readonly text: string }
  | {
      readonly probe: 'http';
      readonly url: string;
      readonly method?: string;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string;
      readonly timeout: number;
    };

export interface ProbeAnswer {
  /** Whether an answer came at all, whatever it said. */
  readonly ok: boolean;
  readonly detail: string;
  readonly status?: number;
  readonly size?: number;
  readonly digest?: string;
  /** The first 64 KiB. */
  readonly text?: string;
}
